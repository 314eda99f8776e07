package agent

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/local"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
)

// teller tells how the camera is to those who ask on its own machine.
type teller struct {
	settings Settings
	machine  *Machine
	software func() uplink.Software
	log      *slog.Logger
	began    time.Duration

	camera atomic.Pointer[identity.Camera] // nil as long as it cannot be opened
	agent  atomic.Pointer[Agent]           // nil as long as the camera is nobody's
}

// run answers until ctx ends. A camera that cannot tell how it is goes on.
func (t *teller) run(ctx context.Context) error {
	var g errgroup.Group
	if l, err := local.Listen(local.Sockets(t.settings.State)); err != nil {
		t.log.Warn("sealcamd status will not work", "err", err)
	} else {
		g.Go(func() error { return local.Serve(ctx, l, false, t.report) })
	}
	if address := t.settings.Metrics.Listen; address != "" {
		if l, err := new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			t.log.Error("figures are given on the Unix socket alone", "err", err, "hint", "another process has the port of metrics.listen, or the service may listen nowhere (systemd: SocketBindAllow=)")
		} else {
			t.log.Info("figures", "address", "http://"+l.Addr().String()+"/metrics")
			g.Go(func() error { return local.Serve(ctx, l, true, t.report) })
		}
	}
	return g.Wait()
}

// report returns how the camera is now. It is safe for concurrent use.
func (t *teller) report() local.Report {
	r := local.Report{
		Format: local.Format, At: time.Now(), Pairing: local.Waiting, Source: t.settings.source().Auto().Name,
		Process: local.Process{CPU: ProcessCPU().Seconds(), Memory: resident()},
	}
	if c := t.camera.Load(); c != nil {
		r.Camera = string(c.ID())
	}
	for _, s := range t.machine.Look().Sensors {
		r.Sensors = append(r.Sensors, local.Sensor{Name: s.Name, Celsius: s.Celsius, Limit: s.Limit})
	}
	for _, f := range t.machine.Look().Flashes {
		r.Flashes = append(r.Flashes, local.Flash{Device: f.Device, Used: f.Used, Spare: f.Spare})
	}
	if a := t.agent.Load(); a != nil {
		a.describe(&r, t.began)
		return r
	}
	soft := t.software()
	r.Status = uplink.Status{
		State: "waiting", Health: &uplink.Health{Word: uplink.Good}, Software: &soft, Firmware: soft.Version, Machine: t.machine.now(),
		Uptime: int64((Monotonic() - t.began) / time.Second),
	}
	if care := t.machine.care(); len(care) > 0 {
		r.Status.Health = &uplink.Health{Word: uplink.Care, Reasons: care}
	}
	return r
}

// describe says in r how the camera is.
func (a *Agent) describe(r *local.Report, began time.Duration) {
	st, now := a.Stats(), a.mono()
	r.Status = a.up.Fill(a.statusNow(began))
	r.Pairing, r.Household, r.Broker = local.Paired, string(a.up.Household()), a.up.Broker()
	if a.up.Removed() {
		r.Pairing = local.Removed
	}
	c, f := st.Capture, st.Capture.Format
	r.Capture = local.Capture{
		Connected: c.Connected, Pixel: f.Pixel.String(), Width: f.Width, Height: f.Height, Rate: f.Rate, Looks: st.Rate,
		Frames: c.Frames, Dropped: c.Dropped, Bad: c.Bad, Reopened: c.Reopened, Events: st.Events,
		Pictures: st.Sealed, Skipped: st.Skipped, Failed: st.Failed, Clips: st.Clips,
	}
	if st.EventAt > 0 {
		r.Capture.EventAge = (now - st.EventAt).Seconds()
	}
	u := st.Uplink
	r.Uplink = local.Uplink{
		Connected: u.Connected, Error: u.LastError, Connects: u.Connects, Sealed: u.Sealed, SealedBytes: u.SealedBytes, Published: u.Published,
		Waiting: u.Waiting, Acknowledged: u.Acknowledged, Delivered: u.Delivered, Dropped: u.Dropped, Unconfessed: u.Unconfessed,
		Refused: r.Status.Uplink.Refusals, Spool: u.Bytes, SpoolBudget: u.Budget,
	}
	if u.Receipted > 0 {
		r.Uplink.ReceiptAge = (now - u.Receipted).Seconds()
	}
}

// resident returns how much memory this process has, in bytes; 0 where the system
// does not say. Source: proc(5), statm.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
