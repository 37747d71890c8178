"""Charge-migration flags by the peer. Usage: charge_peer.py IN.npz OUT.npz"""

from jwst.charge_migration.charge_migration import charge_migration
from peer_models import main, ramp


def run(case, a):
    return {"groupdq": charge_migration(ramp(a), case["threshold"]).groupdq}


main(run)
