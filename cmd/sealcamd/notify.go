package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifier tells a service manager how the camera is (sd_notify(3)); without one
// it does nothing. Its watchdog is fed by work done and by no timer: frames
// looked at, a device looked for, a closed camera that stands by. So a camera
// that hangs is started again.
type notifier struct {
	every time.Duration // between two signs of life; 0 without a watchdog
	now   func() time.Time
	send  func(state string) (bool, error)
	log   *slog.Logger

	mu   sync.Mutex
	last time.Time
}

func newNotifier(log *slog.Logger) *notifier {
	n := &notifier{now: time.Now, log: log, send: func(state string) (bool, error) { return daemon.SdNotify(false, state) }}
	span, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the service manager's watchdog is not understood", "err", err)
	}
	n.every = span / 4
	return n
}

func (n *notifier) ready()    { n.tell(daemon.SdNotifyReady) }
func (n *notifier) stopping() { n.tell(daemon.SdNotifyStopping) }

// alive feeds the watchdog, if it has not just been fed. It is safe for
// concurrent use.
func (n *notifier) alive() {
	if n.every == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := n.now(); n.last.IsZero() || now.Sub(n.last) >= n.every {
		n.last = now
		n.tell(daemon.SdNotifyWatchdog)
	}
}

func (n *notifier) tell(state string) {
	if _, err := n.send(state); err != nil {
		n.log.Warn("the service manager was not told", "state", state, "err", err)
	}
}
