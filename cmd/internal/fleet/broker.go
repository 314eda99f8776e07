package fleet

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/uplink/identity"
)

// runBroker is the part of the broker, with its keeper.
func runBroker(s Setup, orders *json.Decoder, say *speaker, stderr io.Writer) error {
	w := world{s.config()}
	operator, err := identity.OpenHousehold(w.operator(), time.Now)
	if err != nil {
		return err
	}
	conf, err := operator.ServerTLS("127.0.0.1")
	if err != nil {
		return err
	}
	b, err := broker.New(broker.Config{
		Addr: s.Addr, TLS: conf, Log: partLog(stderr),
		Limits: broker.Limits{Clients: s.Cameras + spare, Handshakes: s.Handshakes},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	k, err := w.openKeeping(ctx, b, partLog(stderr))
	if err != nil {
		return err
	}
	began, ended := time.Now(), make(chan error, 2)
	go func() { ended <- b.Run(ctx) }()
	go func() { ended <- k.keeper.Run(ctx) }()
	defer func() { stop(); <-ended; <-ended; _ = k.store.Close() }()
	say.say(report{Ready: b.URL()})
	lines := make(chan order)
	go func() {
		defer close(lines)
		for {
			var o order
			if orders.Decode(&o) != nil {
				return
			}
			lines <- o
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			say.say(report{Stats: brokerStats(b, k, began)})
		case o, ok := <-lines:
			switch {
			case !ok:
				return nil // the judge has ended
			case o.Do == doMeasure:
				say.say(report{Measured: measure()})
			case o.Do == doEnd:
				say.say(report{Stats: brokerStats(b, k, began)})
				accounts, err := k.accounts(ctx)
				say.say(report{Accounts: accounts})
				return err
			}
		}
	}
}

// spare is how many more than its cameras a broker lets in: those that came back
// before it has noticed that they were gone, and who watches.
const spare = 2000

func brokerStats(b *broker.Broker, k *keeping, began time.Time) *sideStats {
	c := b.Counts()
	t := &sideStats{At: time.Since(began), CPU: cpuTime(), Inside: c.Inside, Admitted: c.Admitted, Turned: c.Refused, Shaken: c.Shaken, Resumed: c.Resumed}
	k.count(t)
	return t
}
