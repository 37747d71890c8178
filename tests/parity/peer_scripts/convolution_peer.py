"""IPC correction by the peer. Usage: convolution_peer.py IN.npz OUT.npz"""

from jwst.ipc.ipc_corr import do_correction
from peer_models import main, ramp
from stdatamodels.jwst import datamodels


def run(case, a):
    model = ramp(a, xstart=case["xstart"], ystart=case["ystart"])
    return {"data": do_correction(model, datamodels.IPCModel(data=a["kernel"])).data}


main(run)
