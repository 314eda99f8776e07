package pairing

import (
	"errors"
	"net"
	"net/netip"
	"slices"
)

// maxAddrs is how many of this machine's addresses a code names: each makes the
// code larger.
const maxAddrs = 2

// localAddrs returns where a camera of the same network can reach this machine:
// IPv4 first, as small codes are read from farther away, and private networks
// before others. Loopback is the last resort.
func localAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, p.Addr().Unmap().WithZone(""))
		}
	}
	return choose(found)
}

func choose(all []netip.Addr) ([]netip.Addr, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool {
		return a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast()
	})
	slices.SortStableFunc(all, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	all = slices.Compact(all)
	if len(all) > 1 && !all[0].IsLoopback() {
		all = slices.DeleteFunc(all, netip.Addr.IsLoopback)
	}
	if len(all) == 0 {
		return nil, errors.New("this machine has no address at which a camera could reach it")
	}
	return all[:min(len(all), maxAddrs)], nil
}

func rank(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 9
	case a.Is4() && a.IsPrivate():
		return 0
	case a.Is4():
		return 1
	case a.IsPrivate():
		return 2
	}
	return 3
}
