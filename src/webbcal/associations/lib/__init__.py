"""The places where scripts written for jwst look for the rules of `webbcal.associations.asn_from_list`."""
