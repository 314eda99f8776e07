package feed

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// Of two ways one is enough; what both bring comes once, but for what is live, and
// what was asked for again.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := new(Fake), new(Fake)
		j := Join(a, b)
		var got []string
		stop := run(j, func(it Item) { got = append(got, it.Kind+" "+string(it.Sealed)) })
		give := func(f *Fake, items ...Item) { f.Deliver(items...); synctest.Wait() }
		media, live := Item{Kind: Media, Sealed: []byte("1")}, Item{Kind: Live, Sealed: []byte("2")}
		give(a, media, live)
		give(b, media, live, Item{Kind: Media, Sealed: []byte("3")})
		give(a, Item{Kind: Media, Sealed: []byte("3"), Retained: true})
		media.Asked = true
		give(b, media)
		if want := []string{"media 1", "live 2", "live 2", "media 3", "media 1"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		send := func() error { return j.Send(context.Background(), camera('a'), Command, []byte("x")) }
		if err := send(); err != nil || len(a.Sent()) != 1 {
			t.Errorf("sent: %v", err)
		}
		a.SetOffline(ErrOffline)
		if err := send(); err != nil || len(b.Sent()) != 1 {
			t.Errorf("sent the other way: %v", err)
		}
		if up, _ := j.Link(); !up {
			t.Error("one way is up, and the link is not")
		}
		b.SetOffline(errors.New("gone"))
		if err := send(); err == nil || errors.Is(err, ErrOffline) {
			t.Errorf("sent nowhere: %v", err)
		}
		if up, why := j.Link(); up || why != ErrOffline.Error()+"; gone" {
			t.Errorf("link %v %q", up, why)
		}
		if j.Fill(camera('a'), 1, 2) {
			t.Error("neither is an archive, and one was asked")
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// The set of what came is bounded, and forgets the oldest first.
func TestRecent(t *testing.T) {
	r := newRecent(3)
	for i := range byte(5) {
		if r.add([32]byte{i}) {
			t.Errorf("%d was there", i)
		}
	}
	for i := range byte(5) {
		if got := r.has([32]byte{i}); got != (i >= 2) {
			t.Errorf("%d is there: %v", i, got)
		}
	}
	if len(r.set) != 3 {
		t.Errorf("%d are kept", len(r.set))
	}
}
