package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// clipsOfFiles are the clips that verified files are parts of.
type clipsOfFiles struct {
	env     *cli.Env
	partial bool // they may lack parts
	films   map[clip.Key]*clip.Film
	order   []clip.Key
}

// take takes note of a verified file, and tells what is odd about a part among
// those before it. It reports false if it has no place in its clip.
func (c *clipsOfFiles) take(file string, v *seal.Verified) bool {
	k, ok := clip.KeyOf(v)
	if !ok {
		return true
	}
	f := c.films[k]
	if f == nil {
		f = clip.NewOn(k, nil)
		c.films[k] = f
		c.order = append(c.order, k)
	}
	n := v.Meta().Part
	had, before := f.Has(n), uint32(0)
	if all := f.Parts(); len(all) > 0 {
		before = all[len(all)-1]
	}
	odd := func(style cli.Style, verdict, words string) {
		fmt.Fprintf(c.env.Stdout, "%s  %s  %s\n", c.env.Paint(style, verdict), file, words)
	}
	switch err := f.Add(v); {
	case err != nil:
		odd(cli.Bad, "refused ", err.Error())
		return false
	case had:
		odd(cli.Warn, "doubled ", fmt.Sprintf("part %d was there before", n+1))
	case n < before:
		odd(cli.Warn, "order   ", fmt.Sprintf("part %d stands behind part %d", n+1, before+1))
	}
	return true
}

// end says what there is of each clip. It reports false if one lacks parts that it
// may not lack.
func (c *clipsOfFiles) end() (good bool) {
	good = true
	for _, k := range c.order {
		style, verdict := cli.Good, "whole   "
		if f := c.films[k]; !f.Whole() {
			style, verdict, good = cli.Warn, "partial ", good && c.partial
		}
		fmt.Fprintf(c.env.Stdout, "%s  %s\n", c.env.Paint(style, verdict), printable(c.films[k].Words(), 300))
	}
	return good
}

// isClipProof reports whether a file begins as the proof of a film does.
func isClipProof(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, len(clip.ProofMagic))
	_, err = io.ReadFull(f, b)
	return err == nil && clip.IsProof(b)
}

// verifyFilm checks a film against its proof, part by part, without any key.
// expected is the camera that it must be of, or empty.
func verifyFilm(env *cli.Env, proof string, expected seal.CameraID, partial bool, file string) error {
	claims, err := os.Open(proof)
	if err != nil {
		return err
	}
	defer claims.Close()
	media := env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		media = f
	}
	var first *seal.Proven
	film, sound, err := clip.Check(media, claims, func(p clip.Piece) {
		if p.Err != nil {
			fmt.Fprintf(env.Stdout, "%s   part %d  %s\n", env.Paint(cli.Bad, "refused"), p.Number+1, printable(p.Err.Error(), 300))
			return
		}
		if first == nil {
			first = p.Proven
		}
		fmt.Fprintf(env.Stdout, "%s    part %d  %s\n", env.Paint(cli.Good, "proven"), p.Number+1, pieceWords(p))
	})
	if errors.Is(err, clip.ErrPart) || errors.Is(err, clip.ErrProof) {
		fmt.Fprintf(env.Stdout, "%s   %s  %s\n", env.Paint(cli.Bad, "refused"), file, printable(err.Error(), 300))
		return &cli.Silent{Code: cli.ExitFailed}
	}
	if err != nil {
		return err
	}
	if of := film.Key().Camera; expected != "" && of != expected {
		tellRefusal(env, file, &seal.Refusal{Reason: seal.WrongCamera, Camera: expected, Detail: "sealed by " + string(of)})
		return &cli.Silent{Code: cli.ExitFailed}
	}
	return tellFilm(env, file, film, first, sound, partial)
}

func pieceWords(p clip.Piece) string {
	m := p.Proven.Meta
	taken := "no clock"
	if m.Clock != seal.ClockNone {
		taken = m.Taken.UTC().Format("2006-01-02 15:04:05.000 UTC")
	}
	return fmt.Sprintf("%s  %d bytes, %s message %d, %x", taken, p.Size, m.Stream, m.Seq, p.Proven.Hash[:8])
}

// tellFilm says what was proven about a film.
func tellFilm(env *cli.Env, file string, film *clip.Film, first *seal.Proven, sound, partial bool) error {
	style, verdict, what := cli.Good, "proven", "each part exactly as the camera sealed it, all there and in order"
	failed := false
	switch {
	case !sound:
		style, verdict, what, failed = cli.Bad, "refused", "not as the camera sealed it; the parts that are proven are these", true
	case !film.Whole():
		style, verdict, what, failed = cli.Warn, "partial", "each part exactly as the camera sealed it, and parts are missing", !partial
	}
	m, taken := first.Meta, "unknown, the camera had no clock"
	if m.Clock != seal.ClockNone {
		taken = fmt.Sprintf("%s, clock from %s", m.Taken.UTC().Format(time.DateTime+".000 UTC"), m.Clock)
	}
	facts := []fact{{"camera", string(first.Camera)}, {"household", string(first.Household)}, {"what", printable(film.Words(), 300)}, {"from", taken}}
	for _, f := range []fact{{"cause", m.Cause}, {"light", m.Light}, {"firmware", m.Firmware}} {
		if f.value != "" {
			facts = append(facts, f)
		}
	}
	err := tell(env, fmt.Sprintf("%s  %s", env.Paint(style, verdict), file), what, facts,
		"Whose camera that is the proof does not show: compare its id with one that you know. The\ntimes are the camera's own word.")
	if err == nil && failed {
		err = &cli.Silent{Code: cli.ExitFailed}
	}
	return err
}
