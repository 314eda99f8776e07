package drill

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	greeting  = "sealcam-drill 1"
	joins     = greeting + " clips" // of a program that joins parts of clips
	patience  = 30 * time.Second    // for one answer
	maxAnswer = 12 << 20            // bytes of one
)

// adapter is a subject that is another program: see the package's doc.
type adapter struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string // closed when there are no more
	clips   bool        // it joins their parts
}

// start starts the program args[0] with its arguments, without a shell. What it
// writes to standard error goes to stderr.
func start(ctx context.Context, args []string, stderr io.Writer) (*adapter, error) {
	a := &adapter{name: args[0], cmd: exec.CommandContext(ctx, args[0], args[1:]...), answers: make(chan string)}
	a.cmd.Stderr = stderr
	a.cmd.WaitDelay = 5 * time.Second
	in, err := a.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the viewer %s does not start: %w", a.name, err)
	}
	a.in = in
	go a.read(out)
	got, err := a.ask(greeting)
	a.clips = err == nil && strings.Join(got, " ") == joins
	if err == nil && !a.clips && strings.Join(got, " ") != greeting {
		err = a.wrong(greeting, got)
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *adapter) read(out io.Reader) {
	defer close(a.answers)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		a.answers <- lines.Text()
	}
}

// close ends the program, and waits until it has ended.
func (a *adapter) close() error {
	_ = a.in.Close()
	for range a.answers {
	}
	if err := a.cmd.Wait(); err != nil {
		return fmt.Errorf("the viewer %s ended with %w", a.name, err)
	}
	return nil
}

// ask sends one request and returns the fields of the answer.
func (a *adapter) ask(request ...string) ([]string, error) {
	if _, err := io.WriteString(a.in, strings.Join(request, " ")+"\n"); err != nil {
		return nil, fmt.Errorf("the viewer %s takes no requests any more: %w", a.name, err)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case line, ok := <-a.answers:
		if !ok {
			return nil, fmt.Errorf("the viewer %s ended instead of answering %q", a.name, request[0])
		}
		return strings.Split(line, " "), nil
	case <-late.C:
		return nil, fmt.Errorf("the viewer %s did not answer %q within %v", a.name, request[0], patience)
	}
}

// expect asks for what has one answer only.
func (a *adapter) expect(answer string, request ...string) error {
	got, err := a.ask(request...)
	if err == nil && strings.Join(got, " ") != answer {
		err = a.wrong(request[0], got)
	}
	return err
}

func (a *adapter) wrong(request string, got []string) error {
	return fmt.Errorf("the viewer %s answered %q with %.100q, which sealcam drill does not know: see go doc ./cmd/internal/drill", a.name, request, strings.Join(got, " "))
}

func (a *adapter) begin(h *household, key *seal.ViewerKey, r *roster) error {
	secret, err := key.MarshalText()
	if err != nil {
		return err
	}
	return a.expect("ok", "begin", string(h.id), string(secret), base64.StdEncoding.EncodeToString(r.signed))
}

func (a *adapter) roster(r *roster) error {
	got, err := a.ask("roster", base64.StdEncoding.EncodeToString(r.signed))
	if err == nil && got[0] != "ok" && got[0] != "refused" {
		err = a.wrong("roster", got)
	}
	return err // what it refuses, it will miss
}

func (a *adapter) open(now time.Time, screen seal.CameraID, sealed []byte) (answer, error) {
	got, err := a.ask("open", strconv.FormatInt(now.UnixMicro(), 10), string(screen), base64.StdEncoding.EncodeToString(sealed))
	if err != nil {
		return answer{}, err
	}
	out, ok := parseAnswer(got)
	if !ok {
		return answer{}, a.wrong("open", got)
	}
	return out, nil
}

// parseAnswer reads the answer to open.
func parseAnswer(got []string) (out answer, ok bool) {
	if got[0] == "refused" && len(got) == 2 {
		return answer{reason: strings.ReplaceAll(printable(got[1]), "_", " ")}, true
	}
	if got[0] != "shown" || len(got) != 5 {
		return answer{}, false
	}
	out = answer{shown: true, camera: seal.CameraID(got[1])}
	out.stream, ok = map[string]seal.Stream{"durable": seal.Durable, "live": seal.Live, "will": seal.Will}[got[2]]
	var errSeq, errMedia error
	out.seq, errSeq = strconv.ParseUint(got[3], 10, 64)
	if got[4] != "-" {
		out.media, errMedia = base64.StdEncoding.DecodeString(got[4])
	}
	return out, ok && errSeq == nil && errMedia == nil
}

func (a *adapter) reconnect() error { return a.expect("ok", "reconnect") }
func (a *adapter) forget() error    { return a.expect("ok", "forget") }

func (a *adapter) gaps(camera seal.CameraID) ([]span, error) {
	got, err := a.ask("gaps", string(camera))
	if err != nil {
		return nil, err
	}
	spans, ok := parseGaps(got)
	if !ok {
		return nil, a.wrong("gaps", got)
	}
	return spans, nil
}

// parseGaps reads the answer to gaps.
func parseGaps(got []string) (spans []span, ok bool) {
	if got[0] != "gaps" {
		return nil, false
	}
	for _, g := range got[1:] {
		first, last, _ := strings.Cut(g, "-")
		var s span
		var errs [2]error
		s.first, errs[0] = strconv.ParseUint(first, 10, 64)
		s.last, errs[1] = strconv.ParseUint(last, 10, 64)
		if errs[0] != nil || errs[1] != nil || s.last < s.first {
			return nil, false
		}
		spans = append(spans, s)
	}
	return spans, true
}

func (a *adapter) clip(camera seal.CameraID, boot [16]byte, event uint64) (statement, bool, error) {
	if !a.clips {
		return statement{}, false, nil
	}
	got, err := a.ask("clip", string(camera), hex.EncodeToString(boot[:]), strconv.FormatUint(event, 10))
	if err != nil {
		return statement{}, false, err
	}
	s, ok := parseClip(got)
	if !ok {
		return statement{}, false, a.wrong("clip", got)
	}
	return s, true, nil
}

// parseClip reads the answer to clip.
func parseClip(got []string) (s statement, ok bool) {
	if len(got) != 4 || got[0] != "clip" || got[1] != "whole" && got[1] != "partial" {
		return statement{}, false
	}
	s.whole = got[1] == "whole"
	if got[2] != "-" {
		for word := range strings.SplitSeq(got[2], ",") {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return statement{}, false
			}
			s.missing = append(s.missing, uint32(n))
		}
	}
	if got[3] != "-" {
		film, err := base64.StdEncoding.DecodeString(got[3])
		if err != nil {
			return statement{}, false
		}
		s.film = film
	}
	return s, true
}

// printable keeps a program's words from doing anything to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 40)])
}
