package fleet

import (
	"context"
	"strings"
	"time"
)

// befall lets a fault happen, and waits until all cameras are back.
func (r *run) befall(ctx context.Context, f fault) error {
	began := time.Now()
	back := Return{Fault: f.Kind, At: began.Sub(r.first), before: r.broker.stats(), from: len(r.series.points)}
	connects := r.cameras.stats().Connects
	if err := r.hurt(ctx, f); err != nil {
		return err
	}
	if f.Kind == faultRestart {
		back.before = sideStats{}
	}
	healed := time.Now()
	hit := false // the cameras' statistics know of it
	err := r.until(ctx, r.patience(), "not all cameras came back after "+f.Kind, func() bool {
		hit = hit || !r.allUp() || r.cameras.stats().Connects > connects
		return hit && r.allUp() || r.affected(f) == 0
	})
	back.Took, back.Away = time.Since(healed), healed.Sub(began)
	r.report.returned(r, back)
	return err
}

// hurt is what a fault does, until it is healed.
func (r *run) hurt(ctx context.Context, f fault) error {
	switch f.Kind {
	case faultRestart:
		r.broker.kill()
		r.series.restart()
		if err := r.pass(ctx, f.At+f.Lasts); err != nil {
			return err
		}
		return r.again(strings.TrimPrefix(r.url, "mqtts://"))
	case faultKeeper:
		r.broker.kill()
		return r.again("")
	case faultNode:
		n := r.nodes[f.Groups[0]]
		r.report.spent += n.kill()
		if err := r.pass(ctx, f.At+f.Lasts); err != nil {
			return err
		}
		return n.start()
	case faultFlap:
		return r.cameras.order(order{Do: doFlap, Groups: f.Groups})
	case faultCut:
		if err := r.cameras.order(order{Do: doCut, Groups: f.Groups}); err != nil {
			return err
		}
		if err := r.pass(ctx, f.At+f.Lasts); err != nil {
			return err
		}
		return r.cameras.order(order{Do: doHeal, Groups: f.Groups})
	}
	return nil
}

// again starts the site that was killed, and takes down what it had lost of what
// cameras took for sent.
func (r *run) again(addr string) error {
	sent, err := r.ask(r.cameras, doAccount)
	if err != nil {
		return err
	}
	if err := r.startSite(addr); err != nil {
		return err
	}
	r.report.atKill = &tally{sent.Accounts, r.kept}
	return nil
}

// affected is how many cameras a fault befalls.
func (r *run) affected(f fault) (n int) {
	switch f.Kind {
	case faultRestart, faultNode:
		return r.Cameras
	case faultKeeper:
		return 0
	}
	in := map[int]bool{}
	for _, g := range f.Groups {
		in[g] = true
	}
	for i := range r.Cameras {
		if in[r.group(i)] {
			n++
		}
	}
	return n
}
