//go:build js && wasm

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall/js"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// bytesOf copies a Uint8Array; anything else is no bytes.
func bytesOf(v js.Value) []byte {
	if v.Type() != js.TypeObject || !v.InstanceOf(js.Global().Get("Uint8Array")) {
		return nil
	}
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}

func uint8Array(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

// array makes a JavaScript array, an empty one for nil.
func array(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

// milli returns t in milliseconds since 1970, 0 for unknown.
func milli(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1000
}

func command(cmd []byte, err error) any {
	if err != nil {
		return failed(err)
	}
	return map[string]any{"command": uint8Array(cmd)}
}

// failed returns a refusal for a *seal.Refusal, else an error.
func failed(err error) any {
	var r *seal.Refusal
	if !errors.As(err, &r) {
		return map[string]any{"error": err.Error()}
	}
	detail := r.Detail
	if r.Err != nil {
		detail += ": " + r.Err.Error()
	}
	return map[string]any{
		"verdict": "refused", "reason": string(r.Reason), "person": r.Reason.Person(),
		"detail": detail, "duplicate": r.Duplicate, "alarm": r.Alarm, "seq": float64(r.Seq),
	}
}

func verified(v *seal.Verified) any {
	camera, media := v.Media()
	hash := v.Hash()
	return map[string]any{
		"verdict": "verified", "camera": string(camera), "hash": hex.EncodeToString(hash[:]),
		"fresh": v.Fresh(), "late": v.Late(), "ahead": v.RosterAhead(), "behind": v.RosterBehind(),
		"meta": meta(v.Meta()), "media": uint8Array(media), "proof": uint8Array(v.Proof()), "film": film(v.Meta(), media),
	}
}

// film returns what is inside a part of a clip or of live view, null for all else. A part that
// cannot be looked into says so in error: it is verified, and cannot be played.
func film(m seal.Meta, media []byte) any {
	if m.Media != clip.Media || m.Stream != seal.View && (m.Kind != seal.KindClip || m.Event == 0) {
		return nil
	}
	l, err := clip.Look(media)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	frames := make([]byte, 0, len(l.Frames)*3*8)
	at, scale := l.Start, float64(l.Scale)
	for _, f := range l.Frames {
		for _, x := range [...]float64{float64(at) / scale, float64(f.Offset), float64(f.Size)} {
			frames = binary.LittleEndian.AppendUint64(frames, math.Float64bits(x))
		}
		at += uint64(f.Length)
	}
	head := sha256.Sum256(media[:l.Head])
	return map[string]any{
		"codec": l.Codec, "stills": l.Codec == clip.JPEG, "width": l.Width, "height": l.Height,
		"head": l.Head, "format": hex.EncodeToString(head[:]), "start": float64(l.Start) / scale, "end": float64(at) / scale,
		"frames": js.Global().Get("Float64Array").New(uint8Array(frames).Get("buffer")),
	}
}

func proven(p *seal.Proven, media []byte) any {
	return map[string]any{
		"verdict": "proven", "camera": string(p.Camera), "household": string(p.Household), "hash": hex.EncodeToString(p.Hash[:]),
		"meta": meta(p.Meta), "media": uint8Array(media),
	}
}

// provenClip checks a film against the proof of its parts. What is proven of it is
// handed on part by part, and what is wrong with it in words.
func provenClip(claims, media []byte) any {
	var parts, faults []any
	all, sound, err := clip.Check(bytes.NewReader(media), bytes.NewReader(claims), func(p clip.Piece) {
		if p.Err == nil {
			part, _ := proven(p.Proven, p.Media).(map[string]any)
			part["film"] = film(p.Proven.Meta, p.Media)
			parts = append(parts, part)
		} else if len(faults) < maxFaults {
			faults = append(faults, fault(p))
		}
	})
	if err != nil {
		return failed(&seal.Refusal{Reason: seal.Malformed, Detail: err.Error()})
	}
	return map[string]any{"verdict": "proven", "words": all.Words(), "whole": all.Whole(), "sound": sound, "parts": array(parts), "faults": array(faults)}
}

// fault says by name what is wrong with a part of a film.
func fault(p clip.Piece) string {
	var r *seal.Refusal
	if errors.As(p.Err, &r) {
		return fmt.Sprintf("part %d: %s", p.Number+1, r.Detail)
	}
	return strings.TrimPrefix(p.Err.Error(), clip.ErrPart.Error()+": ")
}

// maxFaults bounds what is told of a film that is full of them.
const maxFaults = 100

func meta(m seal.Meta) map[string]any {
	var labels, lost []any
	things, model := m.Things()
	marks, _ := m.Clip()
	for _, l := range things {
		labels = append(labels, map[string]any{"name": l.Name, "score": int(l.Score), "box": []any{int(l.Box.X), int(l.Box.Y), int(l.Box.W), int(l.Box.H)}})
	}
	for _, r := range m.Lost {
		lost = append(lost, map[string]any{"first": float64(r.First), "last": float64(r.Last)})
	}
	return map[string]any{
		"stream": m.Stream.String(), "seq": float64(m.Seq), "prev": hex.EncodeToString(m.Prev[:]), "expires": milli(m.Expires),
		"kind": m.Kind, "media": m.Media, "taken": milli(m.Taken), "mono": float64(m.Mono.Microseconds()) / 1000, "clock": m.Clock,
		"cause": m.Cause, "light": m.Light, "event": float64(m.Event), "part": float64(m.Part), "last": m.Last,
		"labels": array(labels), "lost": array(lost), "nonce": hex.EncodeToString(m.Nonce), "masks": hex.EncodeToString(m.Masks),
		"width": m.Width, "height": m.Height, "boot": hex.EncodeToString(m.Boot[:]), "roster": float64(m.Roster),
		"firmware": m.Firmware, "model": model, "firmwareHash": hex.EncodeToString(m.FirmwareHash),
		"preRoll": float64(marks.PreRoll.Milliseconds()), "also": len(marks.Also), "ended": marks.Ended,
	}
}
