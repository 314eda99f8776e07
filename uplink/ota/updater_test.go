package ota_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/otatest"
)

// camera is one that an Updater updates, over its restarts.
type camera struct {
	t       *testing.T
	source  otatest.Source
	slots   otatest.Installer
	memory  ota.Memory
	healthy func() error
	window  time.Duration
	rand    float64
	every   time.Duration
}

func newCamera(t *testing.T) *camera {
	return &camera{t: t, memory: ota.File(filepath.Join(t.TempDir(), "tried")), healthy: func() error { return nil }, rand: .5, every: 6 * time.Hour}
}

func (c *camera) updater() *ota.Updater {
	return &ota.Updater{
		Source: &c.source, Installer: &c.slots, Memory: c.memory,
		Healthy: func(context.Context) error { return c.healthy() },
		Window:  func() time.Duration { return c.window },
		Rand:    func() float64 { return c.rand }, Now: time.Now, Every: c.every,
		Log: slog.New(slog.NewTextHandler(c.t.Output(), nil)),
	}
}

// run is one start of the camera, for so long at most.
func (c *camera) run(limit time.Duration) (ota.News, error) {
	ctx, done := context.WithTimeout(c.t.Context(), limit)
	defer done()
	u := c.updater()
	err := u.Run(ctx)
	return u.News(), err
}

// offer puts a release on offer.
func (c *camera) offer(number uint64) *ota.Release {
	path := filepath.Join(c.t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	r := &ota.Release{Kind: ota.Agent, Version: fmt.Sprint("v", number), Number: number, Size: 1, SHA256: [32]byte{byte(number)}}
	c.source.Release, c.source.Path = r, path
	return r
}

func (c *camera) restarts(limit time.Duration) {
	c.t.Helper()
	if _, err := c.run(limit); !errors.Is(err, ota.ErrRestart) {
		c.t.Fatalf("it ended with %v, and not to be started again", err)
	}
}

func (c *camera) stays(limit time.Duration) ota.News {
	c.t.Helper()
	news, err := c.run(limit)
	if err != nil {
		c.t.Fatalf("it ended with %v", err)
	}
	return news
}

// A release is brought, installed and tried; the camera is started again, proves
// itself, and looks for the next.
func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		c.offer(7)
		c.restarts(time.Hour)
		if _, err := os.Stat(c.source.Path); !os.IsNotExist(err) {
			t.Errorf("what was brought is left: %v", err)
		}
		c.slots.Start()
		began, asked := time.Now(), 0
		c.healthy = func() error {
			if asked++; asked < 90 {
				return errors.New("no frame has come")
			}
			return nil
		}
		news := c.stays(time.Hour)
		if st := news.Status; st.Number != 7 || st.Trial || c.slots.Installs != 1 {
			t.Errorf("after the trial: %+v, %d installs", st, c.slots.Installs)
		}
		if asked != 90 || time.Since(began) < 89*time.Second {
			t.Errorf("it was asked %d times", asked)
		}
		if news.Checked.IsZero() || news.Trouble != "" {
			t.Errorf("news %+v", news)
		}
	})
}

// What does not prove itself in time is given up, and not tried again until it has
// a higher number.
func TestFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		r := c.offer(7)
		c.restarts(time.Hour)
		c.slots.Start()
		c.healthy = func() error { return errors.New("no frame has come from the camera") }
		began := time.Now()
		c.restarts(time.Hour)
		if took := time.Since(began); took != ota.TrialLimit {
			t.Errorf("it was given up after %v", took)
		}
		c.slots.Start()
		if news := c.stays(24 * time.Hour); c.slots.Installs != 1 || news.Status.Fell != "no frame has come from the camera" {
			t.Errorf("%d installs, %+v", c.slots.Installs, news)
		}
		again := *r
		again.Number = 8 // the same file, which its maker says is right all the same
		c.source.Release, c.source.Path = &again, c.path("again")
		c.restarts(24 * time.Hour)
	})
}

func (c *camera) path(name string) string {
	path := filepath.Join(c.t.TempDir(), name)
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// A trial that ended without a verdict has fallen; one that never began has not.
func TestPowerGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		c.offer(7)
		c.restarts(time.Hour)
		// The power goes, and what Try wrote was not durable.
		c.slots.Forget()
		c.source.Path = c.path("twice")
		c.restarts(24 * time.Hour)
		if c.slots.Installs != 2 {
			t.Fatalf("%d installs", c.slots.Installs)
		}
		c.slots.Start()
		c.slots.Start() // without a verdict in between
		c.stays(24 * time.Hour)
		if c.slots.Installs != 2 {
			t.Errorf("what fell was installed again")
		}
	})
}

// A trial of a camera that is closed for privacy waits: nothing can be proven.
func TestTrialWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		c.offer(7)
		c.restarts(time.Hour)
		c.slots.Start()
		open := time.Now().Add(9 * time.Hour)
		c.healthy = func() error {
			if time.Now().Before(open) {
				return fmt.Errorf("closed: %w", ota.ErrNotNow)
			}
			return nil
		}
		if news := c.stays(10 * time.Hour); news.Status.Number != 7 {
			t.Errorf("after the trial: %+v", news.Status)
		}
	})
}

// A person may decide instead.
func TestByHand(t *testing.T) {
	for name, confirm := range map[string]bool{"confirmed": true, "rejected": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCamera(t)
				c.offer(7)
				c.restarts(time.Hour)
				c.slots.Start()
				asked := 0
				c.healthy = func() error {
					if asked++; asked == 5 {
						if confirm {
							_ = c.slots.Confirm(t.Context())
						} else {
							_ = c.slots.Reject(t.Context(), "I do not like it")
						}
					}
					return errors.New("nothing proven")
				}
				if confirm {
					c.stays(time.Hour)
				} else {
					c.restarts(time.Hour)
				}
			})
		})
	}
}

// Outside its hours nothing is installed; then it is.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		c.offer(7)
		c.window = 5 * time.Hour
		if news := c.stays(4 * time.Hour); c.slots.Installs != 0 || news.Offered != "v7" {
			t.Errorf("%d installs, %+v", c.slots.Installs, news)
		}
		c.window = 0
		c.restarts(24 * time.Hour)
	})
}

// What fails is tried again, after ever longer waits, and is told.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		c.source.Err = errors.New("no route to host")
		news := c.stays(24 * time.Hour)
		if c.source.Checks < 8 || c.source.Checks > 20 || !strings.Contains(news.Trouble, "no route to host") {
			t.Errorf("%d checks in a day, %+v", c.source.Checks, news)
		}
		c.source.Err = nil
		if news := c.stays(time.Hour); news.Trouble != "" {
			t.Errorf("%+v", news)
		}
	})
}

// A fleet whose power comes back at once does not ask at once.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for rand, want := range map[float64]time.Duration{0: 0, .5: 150 * time.Second, 1: 5 * time.Minute} {
			c := newCamera(t)
			c.rand = rand
			began := time.Now()
			var first time.Duration
			c.source.Asked = func() {
				if first == 0 {
					first = time.Since(began)
				}
			}
			c.stays(time.Hour)
			if first.Round(time.Second) != want {
				t.Errorf("at %g of the dice the first check is after %v", rand, first)
			}
		}
	})
}

// An older release, or the same, is left alone; the same mends a slot.
func TestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		c.slots.Now.Number = 7
		for _, n := range []uint64{3, 7} {
			c.offer(n)
			if c.stays(24 * time.Hour); c.slots.Installs != 0 {
				t.Errorf("number %d was installed over 7", n)
			}
		}
		c.slots.Now.Mend = true
		c.restarts(24 * time.Hour)
	})
}

// Memory is whole after each Store, and what is damaged is an error.
func TestMemory(t *testing.T) {
	f := ota.File(filepath.Join(t.TempDir(), "m"))
	if b, err := f.Load(); b != nil || err != nil {
		t.Errorf("at first: %q, %v", b, err)
	}
	for _, want := range []string{"one", "two"} {
		if err := f.Store([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(); string(b) != want || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := os.WriteFile(string(f), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(); err == nil {
		t.Error("a huge file is read")
	}
}
