package trials

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/faults"
	"github.com/sealcam/sealcam/cmd/internal/rig"
)

var long = flag.Bool("long", false, "the long form: 200 kills, and more of everything")

// patience is how long a trial waits for what must come.
const patience = 150 * time.Second

// host is what brokers are certified for and reached by.
const host = "127.0.0.1"

func TestMain(m *testing.M) {
	if spooling() { // this process is a camera, to be killed
		return
	}
	code := m.Run()
	table.print(os.Stdout)
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the true sealcamd, made once.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// sealcamd returns where the program is.
func sealcamd(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "faults"); built.err == nil {
			built.path, built.err = rig.Sealcamd(context.Background(), built.dir)
		}
	})
	check(t, built.err)
	return built.path
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// table is what all trials together came to.
var table rows

type rows struct {
	mu  sync.Mutex
	all []row
}

type row struct {
	trial string
	note  string
	count faults.Count
}

func (r *rows) add(trial, note string, c faults.Count) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, row{trial, note, c})
}

func (r *rows) print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return
	}
	slices.SortStableFunc(r.all, func(a, b row) int { return strings.Compare(a.trial, b.trial) })
	line := func(name string, c faults.Count, note string) {
		fmt.Fprintf(w, "%-38s %7d %9d %9d %12s %10d %5d  %s\n", name, c.Sealed, c.Pictures, c.Verified, fmt.Sprint(c.Doubled), c.Confessed, c.Lost, note)
	}
	fmt.Fprintf(w, "\n%-38s %7s %9s %9s %12s %10s %5s\n", "trial", "sent", "pictures", "verified", "shown twice", "confessed", "lost")
	var total faults.Count
	for _, row := range r.all {
		line(row.trial, row.count, row.note)
		total = total.Plus(row.count)
	}
	line("total", total, "")
	fmt.Fprintln(w)
}
