package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/ota"
)

// steps counts what a System does to its board, and cuts the power before one of
// them.
type steps struct{ done, cut int }

func (s *steps) step() error {
	if s.done == s.cut {
		return errPower
	}
	s.done++
	return nil
}

type cutMemory struct {
	ota.Memory
	*steps
}

func (c cutMemory) Store(b []byte) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.Memory.Store(b)
}

type cutBackend struct {
	UBoot
	*steps
}

func (c cutBackend) Write(ctx context.Context, r ota.Release, path string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.UBoot.Write(ctx, r, path)
}

func (c cutBackend) Activate(ctx context.Context) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.UBoot.Activate(ctx)
}

func (c cutBackend) Good(ctx context.Context) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.UBoot.Good(ctx)
}

func (c cutBackend) Bad(ctx context.Context) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.UBoot.Bad(ctx)
}

// The power goes between any two steps of a life of updates: what runs then was
// confirmed or is on trial, is never older than what was confirmed, and takes the
// next update.
func TestSystemPowerCuts(t *testing.T) {
	ctx := t.Context()
	releases := map[uint64]ota.Release{}
	paths := map[uint64]string{}
	for _, n := range []uint64{10, 11, 12, 20} {
		releases[n], paths[n] = release(t, n, fmt.Appendf(nil, "system %d.", n))
	}
	for cut := 0; ; cut++ {
		b, s := newBoard(t), &steps{cut: cut}
		system := func() *System {
			x := b.system()
			x.Memory, x.Backend = cutMemory{x.Memory, s}, cutBackend{b.uboot, s}
			return x
		}
		confirmed := uint64(0)
		for _, n := range []uint64{10, 11, 12} {
			if x := system(); x.Install(ctx, releases[n], paths[n]) != nil || x.Try(ctx) != nil {
				break
			}
			b.boot()
			if n == 11 { // which ends without a verdict
				b.boot()
				continue
			}
			if system().Confirm(ctx) != nil {
				break
			}
			confirmed = n
			b.boot()
		}
		over := s.done < cut
		runs := func() (number uint64) {
			slot, err := b.uboot.Booted(ctx)
			if err != nil {
				t.Fatal(err)
			}
			image, err := os.ReadFile(b.uboot.Slots[slot])
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(image), "system ") {
				if _, err := fmt.Sscanf(string(image), "system %d.", &number); err != nil {
					t.Fatal(err)
				}
			}
			return number
		}
		for range 2 {
			b.boot()
			st, err := b.system().Status(ctx)
			if err != nil || runs() < confirmed || st.Number < confirmed || !st.Trial && runs() > st.Number {
				t.Errorf("cut before step %d: %d runs, %d was confirmed: %+v, %v", cut, runs(), confirmed, st, err)
			}
		}
		if st, err := b.system().Status(ctx); err == nil && st.Trial { // U-Boot keeps it already: it proves itself again
			if err := b.system().Confirm(ctx); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(b.system().Install(ctx, releases[20], paths[20]), b.system().Try(ctx)); err != nil {
			t.Fatalf("cut before step %d: the next update: %v", cut, err)
		}
		b.boot()
		if err := b.system().Confirm(ctx); err != nil || runs() != 20 {
			t.Fatalf("cut before step %d: the next update: %d runs, %v", cut, runs(), err)
		}
		if over {
			t.Logf("%d steps", s.done)
			return
		}
	}
}
