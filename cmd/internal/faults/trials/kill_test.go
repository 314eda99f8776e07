package trials

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
)

// kills is how often a camera is killed in the short form, and in the long one.
func kills(short int) int {
	if *long {
		return 200
	}
	return short
}

// sealcamd is killed over and over, with kill -9, wherever it is.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.mosquitto()
	c := h.camera("door", b.addr(), "")
	h.watch(b.addr())
	dice := rand.New(rand.NewPCG(1, 1))
	n := kills(10)
	for i := range n {
		c.run(busy, i)
		c.sealed(h.ledger.Head(c.id) + 1 + uint64(dice.IntN(20)))
		time.Sleep(time.Duration(dice.IntN(50)) * time.Millisecond) // anywhere in what it does then
		c.kill()
	}
	c.quiet()
	h.settle(fmt.Sprintf("sealcamd killed %d times", n), "", c)
}

// What seals and spools is killed while it does nothing else, as fast as it can.
func TestSpoolKilled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.mosquitto()
	c := h.camera("door", b.addr(), "")
	h.watch(b.addr())
	dice := rand.New(rand.NewPCG(2, 2))
	n := kills(40)
	for range n {
		c.cmd = exec.Command(os.Args[0])
		c.cmd.Env = append(os.Environ(), spoolVariable+"="+c.state, "FAULTS_BROKER=mqtts://"+c.broker)
		c.cmd.Stderr = h.ledger.Log(c.id)
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		check(t, c.cmd.Start())
		c.sealed(h.ledger.Head(c.id) + 1 + uint64(dice.IntN(10)))
		time.Sleep(time.Duration(dice.IntN(20)) * time.Millisecond)
		c.kill()
	}
	c.quiet()
	h.settle(fmt.Sprintf("spool killed %d times", n), "", c)
}

// spoolVariable, in the environment, makes this program a camera of the state
// directory that it names, which seals as fast as it can.
const spoolVariable = "FAULTS_SPOOL"

// spooling is that camera. It reports false at once in every other process.
func spooling() bool {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if state := os.Getenv(spoolVariable); state != "" {
		err = spool(state, os.Getenv("FAULTS_BROKER"), log)
	} else if state := os.Getenv(dayVariable); state != "" {
		err = day(state, log)
	} else {
		return false
	}
	if err != nil {
		log.Error("the camera ended", "err", err)
		os.Exit(1)
	}
	return true
}

func spool(state, broker string, log *slog.Logger) error {
	own, err := identity.OpenCamera(filepath.Join(state, agent.IdentityDir))
	if err != nil {
		return err
	}
	s := agent.Defaults()
	s.State, s.Uplink.Broker = state, broker
	up, err := agent.OpenUplink(s, own, agent.Host{Firmware: "trial"}, log)
	if err != nil {
		return err
	}
	go func() { _ = up.Run(context.Background()) }()
	for i := 0; ; i++ {
		p := encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: make([]byte, 500+i%7*4000), Width: 8, Height: 8, Taken: time.Now(), Cause: encode.CauseMotion, Event: uint64(i/5 + 1)}
		if i%5 != 0 {
			p.Kind, p.Media, p.Part = encode.ClipPart, "video/mp4", uint32(i%5-1)
		}
		if err := up.Send(p); err != nil {
			return err
		}
		if i%9 == 0 {
			if err := up.Status(uplink.Status{State: "running"}); err != nil {
				return err
			}
		}
	}
}
