package fleet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// The parts that run in processes of their own.
const (
	partCameras = "cameras"
	partBroker  = "broker"
	partKeeper  = "keeper" // of a cluster
)

// What the judge tells a part to do.
const (
	doSetup   = "setup"   // the first order: begins
	doBegin   = "begin"   // events, from now on
	doStop    = "stop"    // no more events
	doCut     = "cut"     // the network of some groups is gone
	doHeal    = "heal"    // and back
	doFlap    = "flap"    // their connections end
	doUsage   = "usage"   // say what is in use
	doMeasure = "measure" // collect garbage, and say what is in use
	doAccount = "account" // give the account
	doEnd     = "end"     // give the account, and end
)

// order is one line to a part.
type order struct {
	Do     string
	Config *Setup `json:",omitempty"`
	Groups []int  `json:",omitempty"`
}

// Setup is what a part has to know.
type Setup struct {
	Cameras, PerHome, Size, Handshakes int
	Events                             float64
	Day, Spread                        time.Duration
	Spool                              int64
	Faults                             []string
	Seed                               uint64
	Dir, Addr                          string
	Guest                              bool // on a broker that is not of the run, to be left as it was
	First, Last                        int  // the cameras of this process: [First, Last)
}

func (s Setup) config() Config {
	return Config{
		Cameras: s.Cameras, PerHome: s.PerHome, Size: s.Size, Handshakes: s.Handshakes, Events: s.Events, Day: s.Day,
		Spread: s.Spread, Spool: s.Spool, Faults: s.Faults, Seed: s.Seed, Dir: s.Dir,
	}
}

func (c Config) setup(addr string) *Setup {
	return &Setup{
		Cameras: c.Cameras, PerHome: c.PerHome, Size: c.Size, Handshakes: c.Handshakes, Events: c.Events, Day: c.Day,
		Spread: c.Spread, Spool: c.Spool, Faults: c.Faults, Seed: c.Seed, Dir: c.Dir, Addr: addr, Last: c.Cameras,
		Guest: c.Broker != "",
	}
}

// report is one line from a part.
type report struct {
	Ready    string              `json:",omitempty"` // it is; the broker says its address
	API      string              `json:",omitempty"` // with Ready: where its keeper answers viewers
	Stats    *sideStats          `json:",omitempty"`
	Measured *Memory             `json:",omitempty"`
	Accounts map[string]*account `json:",omitempty"` // by camera: the last line, a broker's first one, or when asked
	Error    string              `json:",omitempty"`
}

// sideStats is what a part says once a second.
type sideStats struct {
	At  time.Duration // since it is ready
	CPU time.Duration // that the process has used

	// Of cameras:
	Up               int
	Connects         uint64
	Sealed, Bytes    uint64 // durable messages
	Published        uint64
	Waiting, Dropped uint64
	In, Out          uint64            // bytes on the network
	Spooled          int64             // bytes on disk
	Refusals         map[string]uint64 // of commands and rosters, by kind and reason

	// Of the broker:
	Inside           int
	Admitted, Turned uint64
	Busiest          int // most that were admitted within any second since it began
	Shaken, Resumed  uint64
	Arrived          uint64 // durable messages, each once
	ArrivedBytes     uint64
	Bad              uint64 // messages that were no camera's, or came on another's topic
	Verdicts         map[string]uint64
}

// Memory is what a process holds.
type Memory struct {
	Resident   int64 `json:"resident"` // bytes of RSS; 0 where the system does not say
	Heap       int64 `json:"heap"`     // bytes in use after a collection
	Stacks     int64 `json:"stacks"`
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"files"` // open ones, with connections; 0 where the system does not say

	CPU time.Duration `json:"cpu_ns"` // that it has used
}

// part is a process of this run.
type part struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu    sync.Mutex
	last  sideStats
	news  chan report // lines that are no statistics
	ended chan error
}

// start begins a part and gives it its first order.
func (c Config) start(name string, s *Setup) (*part, error) {
	cmd := c.Command(name)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if cmd.Stderr == nil {
		cmd.Stderr = c.Out
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("fleet: %s: %w", name, err)
	}
	p := &part{cmd: cmd, in: in, news: make(chan report, 4), ended: make(chan error, 1)}
	go p.listen(name, out)
	return p, p.order(order{Do: doSetup, Config: s})
}

// listen takes what the part says until it ends.
func (p *part) listen(name string, out io.Reader) {
	dec := json.NewDecoder(bufio.NewReaderSize(out, 1<<16))
	var err error
	for {
		var r report
		if err = dec.Decode(&r); err != nil {
			break
		}
		if r.Stats != nil {
			p.mu.Lock()
			p.last = *r.Stats
			p.mu.Unlock()
			continue
		}
		p.news <- r
	}
	if werr := p.cmd.Wait(); werr != nil {
		err = fmt.Errorf("fleet: the %s ended: %w", name, werr)
	} else if errors.Is(err, io.EOF) {
		err = nil
	}
	p.ended <- err
	close(p.news)
}

// order tells the part something.
func (p *part) order(o order) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = p.in.Write(append(b, '\n'))
	return err
}

// stats is what the part said last; nothing of a part that is not there.
func (p *part) stats() sideStats {
	if p == nil {
		return sideStats{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// hear waits for the next line that is no statistics.
func (p *part) hear(patience time.Duration) (report, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case r, ok := <-p.news:
		if !ok {
			return r, errors.New("fleet: a part ended too soon")
		}
		if r.Error != "" {
			return r, errors.New(r.Error)
		}
		return r, nil
	case <-late.C:
		return report{}, fmt.Errorf("fleet: a part said nothing for %v", patience)
	}
}

// end is told when the part has ended; never of one that is not there.
func (p *part) end() <-chan error {
	if p == nil {
		return nil
	}
	return p.ended
}

// kill ends the part at once, as a power cut does.
func (p *part) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	for range p.news { // until it has ended
	}
	select {
	case <-p.ended: // which is no news
	default:
	}
}

// Part runs the part called name: it obeys lines on in and answers on out. It is
// what the command does that Config.Command makes.
func Part(name string, in io.Reader, out io.Writer, stderr io.Writer) error {
	orders := json.NewDecoder(in)
	var first order
	if err := orders.Decode(&first); err != nil {
		return fmt.Errorf("fleet: no orders: %w", err)
	}
	if first.Do != doSetup || first.Config == nil {
		return errors.New("fleet: the first order is no setup")
	}
	say := &speaker{enc: json.NewEncoder(out)}
	var err error
	switch name {
	case partCameras:
		err = runCameras(*first.Config, orders, say, stderr)
	case partBroker:
		err = runBroker(*first.Config, orders, say, stderr)
	case partKeeper:
		err = runKeeper(*first.Config, orders, say, stderr)
	default:
		err = fmt.Errorf("fleet: no part is called %.40q", name)
	}
	if err != nil {
		say.say(report{Error: err.Error()})
	}
	return err
}

// speaker writes lines, one at a time.
type speaker struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (s *speaker) say(r report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.enc.Encode(r) // who does not listen has ended, and this process with it
}
