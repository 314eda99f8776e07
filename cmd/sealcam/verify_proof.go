package main

import (
	"fmt"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/seal"
)

// verifyProof checks published media against a proof, without any key. said is
// the id of the camera that it must be of, or empty.
func verifyProof(env *cli.Env, proof, said string, partial bool, files []string) error {
	if len(files) != 1 {
		return cli.Usagef("expected one MEDIA file: a proof is of one, and this is about %d", len(files))
	}
	var expected seal.CameraID
	if said != "" {
		id, err := seal.ParseCameraID(said)
		if err != nil {
			return cli.Usagef("--camera %.60q: beside --proof it is a camera's id, 52 characters long: names are a household's", said)
		}
		expected = id
	}
	if proof == "-" && files[0] == "-" {
		return cli.Usagef("the proof and the media cannot both come from standard input")
	}
	if isClipProof(proof) {
		return verifyFilm(env, proof, expected, partial, files[0])
	}
	claims, err := readBounded(env.Stdin, proof, seal.MaxProof)
	if err != nil {
		return err
	}
	media, err := readBounded(env.Stdin, files[0], seal.MaxSealed)
	if err != nil {
		return err
	}
	p, err := seal.CheckProof(claims, media)
	if err == nil && expected != "" && p.Camera != expected {
		err = &seal.Refusal{Reason: seal.WrongCamera, Camera: expected, Detail: "sealed by " + string(p.Camera)}
	}
	if err != nil {
		tellRefusal(env, files[0], err)
		return &cli.Silent{Code: cli.ExitFailed}
	}
	return tell(env, fmt.Sprintf("%s  %s", env.Paint(cli.Good, "proven"), files[0]), "exactly as the camera sealed it", provenFacts(p, len(media)),
		"Whose camera that is the proof does not show: compare its id with one that you know. The\ntime is the camera's own word.")
}

func provenFacts(p *seal.Proven, size int) []fact {
	m := p.Meta
	taken := "unknown, the camera had no clock"
	if m.Clock != seal.ClockNone {
		taken = fmt.Sprintf("%s, clock from %s", m.Taken.UTC().Format("2006-01-02 15:04:05.000 UTC"), m.Clock)
	}
	facts := []fact{
		{"camera", string(p.Camera)},
		{"household", string(p.Household)},
		{"what", fmt.Sprintf("%s, %s, %d bytes, %s message %d", m.Kind, m.Media, size, m.Stream, m.Seq)},
		{"taken", taken},
	}
	if m.Kind == seal.KindClip {
		facts = append(facts, fact{"part", fmt.Sprintf("%d of the clip of event %d", m.Part+1, m.Event)})
	}
	for _, f := range []fact{{"cause", m.Cause}, {"light", m.Light}, {"firmware", m.Firmware}} {
		if f.value != "" {
			facts = append(facts, f)
		}
	}
	_, labels := m.Clip()
	for _, l := range labels {
		facts = append(facts, fact{"recognised", fmt.Sprintf("%s, certain to %d/1000", printable(l.Name, seal.MaxName), l.Score)})
	}
	return append(facts, fact{"message", fmt.Sprintf("%x", p.Hash)})
}
