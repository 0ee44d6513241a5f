"""One node's parameters for all tests of hepto/kube: the published example of the address plan."""

from hepto.address import AddressPlan
from hepto.kube.parameters import KubeParameters

PLAN = AddressPlan("mycluster")
ADDRESS = "fd6d:9999:dd30:100:b6c5:f112:b311:6200"
PODS = "fd6d:9999:dd30:2b6:c5f1:12b3:1162:0/112"
DATA = "/var/lib/hepto/mycluster/mymaster"

FULL = KubeParameters(
    plan=PLAN,
    node="mymaster",
    master=True,
    worker=True,
    data=DATA,
    masters=(PLAN.node("mymaster"),),
    resolvers=("2001:db8:1::1", "fe80::1%eth0"),
    search=("lab.internal",),
    mtu=1420,
    images_digest="0123",
)
