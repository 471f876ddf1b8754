import time, json
from support.sshd import SshHosts
from test_token_file import PLAY
def test_speed(openbao_stage):
    st=openbao_stage; st.store_all(); tok=st.token(); st.token=lambda: tok
    copy="""
- hosts: fleet
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {dest: "{{ host_root }}/x", content: "hello {{ lookup('pipe','date +%N') }}", mode: '0600'}
"""
    with SshHosts(count=30, first=50) as h:
        inv=h.inventory()
        st.playbook("- hosts: fleet\n  gather_facts: false\n  tasks: [ping: ]\n", "-f","20", inventory=inv)
        out=[]
        for name,p in (("warm",PLAY),("copy",copy),("copy2",copy),("same",PLAY),("copy3",copy)):
            t=time.time(); r=st.playbook(p,"-f","20",inventory=inv); out.append((name,round(time.time()-t,1), r.rc, r.changed))
        h.clear()
        t=time.time(); r=st.playbook(PLAY,"-f","20",inventory=inv); out.append(("all changed",round(time.time()-t,1), r.rc, r.changed))
        print(out); assert 0, out
