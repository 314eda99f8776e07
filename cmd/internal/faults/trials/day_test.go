package trials

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/faults"
	"github.com/sealcam/sealcam/cmd/internal/rig"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// What a day without a network brings, and what there is room for.
const (
	dayStatus = 5 * time.Minute
	dayEvent  = 6 * time.Minute
	dayParts  = 4
	dayBudget = 8 << 20 // a fifth of it
	dayMemory = 40.0    // MB, resident
)

// dayVariable, in the environment, makes this program a camera of the state
// directory that it names, which lives a day without a network.
const dayVariable = "FAULTS_DAY"

// day seals what a camera seals in a day.
func day(state string, log *slog.Logger) error {
	own, err := identity.OpenCamera(filepath.Join(state, agent.IdentityDir))
	if err != nil {
		return err
	}
	began, at := time.Now().Add(-24*time.Hour), time.Duration(0)
	up, err := uplink.Open(uplink.Config{
		Dir: filepath.Join(state, agent.SpoolDir), Camera: own, Broker: "mqtts://127.0.0.1:1", Budget: dayBudget,
		Now: func() time.Time { return began.Add(at) }, Mono: func() time.Duration { return at }, Log: log,
	})
	if err != nil {
		return err
	}
	for event := uint64(1); at < 24*time.Hour; at += time.Minute {
		if at%dayStatus == 0 {
			if err := up.Status(uplink.Status{State: "running"}); err != nil {
				return err
			}
		}
		if at%dayEvent != 0 {
			continue
		}
		p := encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: make([]byte, 15_000), Width: 8, Height: 8, Cause: encode.CauseMotion, Event: event}
		if err := up.Send(p); err != nil {
			return err
		}
		p.Kind, p.Media, p.Data = encode.ClipPart, "video/mp4", make([]byte, 38_000)
		for p.Part = range uint32(dayParts) {
			p.Last = p.Part == dayParts-1
			if err := up.Send(p); err != nil {
				return err
			}
		}
		event++
	}
	_, peak, err := rig.Resident(os.Getpid())
	log.Info("the day is over", "resident", peak)
	return err
}

// A day without a network, then all of it at once: memory and disk stay bounded,
// what is worth most comes first, nothing is lost that there was room for, and the
// rest is confessed to the number.
func TestDayWithoutNetwork(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.mosquitto()
	p := h.proxy(1, b.addr())
	check(t, p.Set(faults.Fault{Delay: 20 * time.Millisecond, Rate: 400_000}))
	c := h.camera("door", p.Addr(), "")
	c.budget = "8 MiB"
	h.watch(b.addr())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dayVariable+"="+c.state)
	cmd.Stderr = h.ledger.Log(c.id)
	check(t, cmd.Run())

	resident := 0.0
	for _, line := range h.ledger.Tail(c.id) {
		if _, value, ok := strings.Cut(line, " resident="); ok {
			resident, _ = strconv.ParseFloat(value, 64)
		}
	}
	if resident == 0 || resident > dayMemory {
		t.Errorf("%.0f MB resident, want at most %.0f: %q", resident, dayMemory, h.ledger.Tail(c.id))
	}
	kept, size := c.stored()
	if size > dayBudget {
		t.Errorf("%d bytes are stored, want at most %d", size, dayBudget)
	}
	if size < dayBudget*9/10 {
		t.Errorf("%d bytes are stored: there was room for more", size)
	}
	h.eye.note()
	c.quiet()
	sum := h.settle("a day without network", fmt.Sprintf("%d kept in %d KiB, %.0f MB resident", len(kept), size>>10, resident), c)
	if sum.Denied != 0 || sum.Sealed-sum.Confessed < len(kept) {
		t.Errorf("%d were kept, of %+v", len(kept), sum)
	}
	for _, seq := range h.ledger.Unverified(c.id) {
		if slices.Contains(kept, seq) {
			t.Errorf("%d was kept, and is confessed as lost", seq)
		}
	}
	h.inOrder()
}

// inOrder checks that what is worth most has come first: a viewer can remember a
// few holes only, so that between the first statuses and the clips the rest comes
// as it was sealed.
func (h *house) inOrder() {
	h.t.Helper()
	first, others, clips := map[string]int{}, 0, []uint64(nil)
	for i, m := range h.eye.noted() {
		if _, ok := first[m.Kind]; !ok {
			first[m.Kind] = i
		}
		if m.Kind == seal.KindClip {
			clips = append(clips, m.Event)
			continue
		}
		if len(clips) == 0 {
			others++
		}
	}
	clips = slices.Compact(clips)
	h.t.Logf("first of each kind: %v, %d before the clips, of the events %v", first, others, clips)
	if newest := slices.IsSortedFunc(clips, func(a, b uint64) int { return cmp.Compare(b, a) }); !newest {
		h.t.Errorf("clips come in the order %v, want the newest first", clips)
	}
	if first[seal.KindStatus] != 0 || first[seal.KindSnapshot] < 30 || first[seal.KindClip] < 400 {
		h.t.Errorf("out of order: first of each kind: %v", first)
	}
}

// stored returns the numbers of what lies in the spool, and the bytes that it
// takes.
func (c *camera) stored() (seqs []uint64, size int64) {
	t := c.house.t
	t.Helper()
	check(t, filepath.WalkDir(filepath.Join(c.state, agent.SpoolDir, "messages"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += (info.Size() + 4095) &^ 4095
		if !strings.HasSuffix(path, ".sealed") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		v, err := seal.Peek(b)
		seqs = append(seqs, v.Seq)
		return err
	}))
	return seqs, size
}
