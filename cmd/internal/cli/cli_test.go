package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func env() (*Env, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err}, &out, &err
}

func table(run func(context.Context, *Env, []string) error) []Command {
	return []Command{{Name: "look", Short: "look at something", Run: run}}
}

func TestReport(t *testing.T) {
	base := errors.New("/dev/video0: camera is in use")
	for _, tc := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{"none", nil, ExitOK, ""},
		{"plain", base, ExitFailed, "sealcam: error: /dev/video0: camera is in use\n"},
		{"hint", fmt.Errorf("open: %w", Hint(base, "stop %s", "motion")), ExitFailed, "sealcam: error: open: /dev/video0: camera is in use\nsealcam: hint: stop motion\n"},
		{"usage", Usagef("no FILE"), ExitUsage, "sealcam: error: no FILE\nsealcam: hint: see sealcam -h\n"},
		{"told", &Silent{Code: 7}, 7, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, _, stderr := env()
			if code := Report(e, "sealcam", tc.err); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if stderr.String() != tc.want {
				t.Errorf("stderr %q, want %q", stderr.String(), tc.want)
			}
		})
	}
}

func TestDispatch(t *testing.T) {
	var got []string
	tab := table(func(_ context.Context, e *Env, args []string) error {
		fs := e.Flags("look", "sealcam look [-far] FILE", "Looks.")
		far := fs.Bool("far", false, "look far")
		if err := Parse(fs, args); err != nil {
			return err
		}
		got = append(fs.Args(), fmt.Sprint(*far))
		return nil
	})
	e, out, _ := env()
	if err := Dispatch(t.Context(), e, "sealcam", "about", tab, []string{"look", "-far", "x"}); err != nil || fmt.Sprint(got) != "[x true]" {
		t.Errorf("got %v, %v", got, err)
	}
	if code := Report(e, "sealcam", Dispatch(t.Context(), e, "sealcam", "about", tab, []string{"look", "-near"})); code != ExitUsage {
		t.Errorf("unknown flag: exit code %d, want %d", code, ExitUsage)
	}
	if code := Report(e, "sealcam", Dispatch(t.Context(), e, "sealcam", "about", tab, []string{"fly"})); code != ExitUsage {
		t.Errorf("unknown command: exit code %d, want %d", code, ExitUsage)
	}
	if code := Report(e, "sealcam", Dispatch(t.Context(), e, "sealcam", "about", tab, []string{"look", "-h"})); code != ExitOK || !strings.Contains(out.String(), "look far") {
		t.Errorf("-h: exit code %d, output %q", code, out.String())
	}
}
