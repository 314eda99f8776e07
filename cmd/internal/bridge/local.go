package bridge

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// Times with the local broker.
const (
	firstWait = time.Second // between attempts to connect, doubled up to maxWait
	maxWait   = 30 * time.Second
	ackTime   = 30 * time.Second // for one message
	goodbye   = 2 * time.Second  // to say that the bridge ends
)

// maxHeard is how many messages of the local broker may wait: all the cameras
// that were ever announced come at once.
const maxHeard = 1024

// local is the way to the local broker.
type local struct {
	config mqtt.Config
	names  names
	board  *board
	heard  func(mqtt.Message)
	log    *slog.Logger
}

// newLocal refuses a configuration that no attempt could succeed with.
func newLocal(c mqtt.Config, n names, b *board, heard func(mqtt.Message), log *slog.Logger) (*local, error) {
	// One name for one household: a bridge that comes back throws out what is
	// left of its own connection, whose last will is then spoken before, and not
	// after, the bridge says that it is there.
	c.ClientID = root + "-" + string(n.household[:16])
	c.Will = &mqtt.Message{Topic: n.available(), Payload: []byte(offline), QoS: 1, Retained: true}
	c.Queue = maxHeard
	c.Log = log
	if err := c.Validate(); err != nil {
		return nil, cli.Hint(err, "a broker on another machine is reached by mqtts://HOST:8883, with --local-ca if its certificate is your own; pictures do not cross the network unencrypted")
	}
	return &local{c, n, b, heard, log}, nil
}

// run keeps a connection until ctx ends.
func (l *local) run(ctx context.Context) error {
	wait, told := firstWait, ""
	for {
		lasted, err := l.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if lasted {
			wait, told = firstWait, ""
		}
		if err.Error() != told { // each trouble is told once
			told = err.Error()
			l.log.Warn("no connection to the local broker", "err", err, "hint", cli.HintOf(err))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, maxWait)
	}
}

// session is one connection. It returns whether there was any.
func (l *local) session(ctx context.Context) (connected bool, err error) {
	conn, err := mqtt.Dial(ctx, l.config)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if err := conn.Subscribe(ctx, l.names.birth(), l.names.leftovers()); err != nil {
		return false, err
	}
	defer l.farewell(ctx, conn)
	if err := l.publish(ctx, conn, l.available(online)); err != nil {
		return false, err
	}
	l.log.Info("connected to the local broker", "url", l.config.URL)
	l.board.anew()
	return true, l.tell(ctx, conn)
}

// farewell says that the bridge is gone, if its end is orderly: that has no
// will, and nobody else would say it. "online" may be on its way already when
// ctx ends, acknowledged or not.
func (l *local) farewell(ctx context.Context, conn *mqtt.Conn) {
	if ctx.Err() == nil || conn.Err() != nil {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	_ = l.publish(last, conn, l.available(offline))
}

func (l *local) available(state string) mqtt.Message {
	return mqtt.Message{Topic: l.names.available(), Payload: []byte(state), QoS: 1, Retained: true}
}

// tell publishes what is due, and hears what comes, until the connection ends.
func (l *local) tell(ctx context.Context, conn *mqtt.Conn) error {
	for {
		for m, due := l.board.next(); due && ctx.Err() == nil; m, due = l.board.next() {
			if err := l.publish(ctx, conn, m); err != nil {
				return err
			}
		}
		select {
		case <-l.board.wake:
		case m := <-conn.Messages():
			l.heard(m)
		case <-conn.Done():
			return conn.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errSlow ends a connection whose broker acknowledges nothing.
var errSlow = errors.New("the local broker does not acknowledge what it is told")

// publish waits for the acknowledgement: the next message on a topic is then
// the newest there is, and not the oldest that waits.
func (l *local) publish(ctx context.Context, conn *mqtt.Conn, m mqtt.Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ackTime, errSlow)
	defer cancel()
	token := conn.Publish(ctx, m)
	select {
	case <-token.Done():
		return token.Err()
	case <-conn.Done():
		return conn.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
