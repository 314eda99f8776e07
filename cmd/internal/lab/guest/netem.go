//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Numbers of linux/rtnetlink.h and linux/pkt_sched.h.
const (
	newQdisc   = 36         // RTM_NEWQDISC
	rootHandle = 0xFFFFFFFF // TC_H_ROOT
	tcaKind    = 1
	tcaOptions = 2

	netemRate      = 6  // TCA_NETEM_RATE
	netemLatency64 = 10 // TCA_NETEM_LATENCY64, nanoseconds
)

// impairment is what a netem queue does to what leaves an interface.
type impairment struct {
	delay time.Duration
	loss  float64 // 0..1
	rate  uint32  // bytes per second; 0: unlimited
}

// netem replaces an interface's queue. Without options the new queue does
// nothing, which heals the link.
func netem(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("netem takes an interface\n%s", usage)
	}
	link, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	var im impairment
	for _, arg := range args[1:] {
		if err := im.parse(arg); err != nil {
			return fmt.Errorf("netem: %q: %w", arg, err)
		}
	}
	return netlink(im.message(link.Index))
}

func (im *impairment) parse(arg string) (err error) {
	name, value, _ := strings.Cut(arg, "=")
	switch name {
	case "delay":
		im.delay, err = time.ParseDuration(value)
	case "loss":
		im.loss, err = strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		im.loss /= 100
	case "rate":
		var kbit uint64
		kbit, err = strconv.ParseUint(strings.TrimSuffix(value, "kbit"), 10, 32)
		im.rate = uint32(kbit * 1000 / 8)
	default:
		err = fmt.Errorf("no such option")
	}
	return err
}

// message is an RTM_NEWQDISC with struct tcmsg and its attributes.
func (im *impairment) message(index int) []byte {
	ne := binary.NativeEndian
	opt := make([]byte, 24) // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
	ne.PutUint32(opt[4:], 1000)
	ne.PutUint32(opt[8:], uint32(im.loss*0xFFFFFFFF))
	opt = append(opt, attribute(netemLatency64, ne.AppendUint64(nil, uint64(im.delay)))...)
	if im.rate > 0 {
		rate := make([]byte, 16) // struct tc_netem_rate: rate, overheads and cells
		ne.PutUint32(rate, im.rate)
		opt = append(opt, attribute(netemRate, rate)...)
	}

	body := make([]byte, 20) // struct tcmsg: family, index, handle, parent, info
	ne.PutUint32(body[4:], uint32(index))
	ne.PutUint32(body[12:], rootHandle)
	body = append(body, attribute(tcaKind, []byte("netem\x00"))...)
	body = append(body, attribute(tcaOptions, opt)...)

	head := make([]byte, syscall.NLMSG_HDRLEN)
	ne.PutUint32(head[0:], uint32(len(head)+len(body)))
	ne.PutUint16(head[4:], newQdisc)
	ne.PutUint16(head[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_ACK|syscall.NLM_F_CREATE|syscall.NLM_F_REPLACE)
	return append(head, body...)
}

func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

// netlink sends one message and returns the kernel's answer.
func netlink(msg []byte) error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.Sendto(fd, msg, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, buf, 0)
	if err != nil {
		return err
	}
	answers, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Header.Type == syscall.NLMSG_ERROR && len(a.Data) >= 4 {
			if code := int32(binary.NativeEndian.Uint32(a.Data)); code != 0 {
				return os.NewSyscallError("netem", syscall.Errno(-code))
			}
		}
	}
	return nil
}
