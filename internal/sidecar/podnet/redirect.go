package podnet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// imdsPort is the port of IMDS.
const imdsPort = 80

// tableName is the name of our packet filter table.
const tableName = "kube_imds"

// beforeOthers is the priority of our chain: ahead of iptables and Istio, which translate addresses at -100. A connection
// is translated once, so the first chain decides.
const beforeOthers nftables.ChainPriority = -110

// ErrNoRedirect is the error of a kernel that cannot redirect connections.
var ErrNoRedirect = errors.New("this node's kernel has no nf_tables with address translation: load its modules nf_tables, " +
	"nft_chain_nat and nft_redir, or install the chart with sidecar.interception=address")

// Redirect redirects connections of the pod's own processes to Address at port 80 to a loopback port, where the sidecar
// listens. Port 80 stays the application's: a listener on Address would take it from servers on 0.0.0.0. The rule is in the
// output hook, which packets from outside the pod never pass.
//
//	table ip kube_imds {
//		chain output {
//			type nat hook output priority -110; policy accept;
//			ip daddr 169.254.169.254 tcp dport 80 redirect to :15780
//		}
//	}
//
// The table is replaced in one transaction. Redirect needs NET_ADMIN in the network namespace, at least permitted.
func Redirect(port uint16) error {
	return withNetAdmin(func() error {
		if err := writeTable(port); err != nil {
			return fmt.Errorf("redirect %s:%d to port %d: %w", Address, imdsPort, port, explained(err))
		}
		return nil
	})
}

func writeTable(port uint16) error {
	connection, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyIPv4}
	// A missing table cannot be deleted, so it is added first.
	connection.AddTable(table)
	connection.DelTable(table)
	connection.AddTable(table)
	chain := connection.AddChain(&nftables.Chain{
		Name:     "output",
		Table:    table,
		Type:     nftables.ChainTypeNAT,
		Hooknum:  nftables.ChainHookOutput,
		Priority: nftables.ChainPriorityRef(beforeOthers),
		Policy:   new(nftables.ChainPolicyAccept),
	})
	connection.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: redirection(port)})
	return connection.Flush()
}

// redirection returns the rule: ip daddr 169.254.169.254 tcp dport 80 redirect to :port.
func redirection(port uint16) []expr.Any {
	const register = 1
	return slices.Concat(
		equals(register, &expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}, Address.AsSlice()),
		[]expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register},
			&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{unix.IPPROTO_TCP}},
		},
		equals(register, &expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, binaryutil.BigEndian.PutUint16(imdsPort)),
		[]expr.Any{
			&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
			&expr.Redir{RegisterProtoMin: register},
		},
	)
}

// equals matches packets with a value in a field.
func equals(register uint32, field *expr.Payload, value []byte) []expr.Any {
	field.DestRegister = register
	return []expr.Any{field, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: value}}
}

// explained returns ErrNoRedirect for the errors of kernels without nfnetlink, nf_tables or one of its parts.
func explained(err error) error {
	for _, lacking := range []error{unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.EOPNOTSUPP, unix.ENOENT} {
		if errors.Is(err, lacking) {
			return fmt.Errorf("%w (%w)", ErrNoRedirect, err)
		}
	}
	return err
}
