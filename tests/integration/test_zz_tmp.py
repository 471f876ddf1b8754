from __future__ import annotations
import pathlib, os
exec(compile((pathlib.Path(__file__).parent/"test_authorize.py").read_text().replace("from __future__ import annotations",""),"x","exec"))
import pytest as _p
from support.ansible import Ansible
from support.matrix import matrix_venv
@_p.fixture(params=os.environ.get("CORES","2.16 2.21").split())
def ansible(request, tmp_path, collection):
    return Ansible(tmp_path/"run", collections=collection, bin_dir=matrix_venv(request.param)/"bin")
