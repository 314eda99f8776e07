//go:build js && wasm

package main

import (
	"errors"
	"syscall/js"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// session is what one worker holds: one viewer of one household.
type session struct {
	id     seal.HouseholdID
	opener *seal.Opener
}

func (s *session) init(args []js.Value) any {
	c := args[0]
	var err error
	if s.id, err = seal.ParseHouseholdID(c.Get("household").String()); err != nil {
		return failed(err)
	}
	var key seal.ViewerKey
	if err := key.UnmarshalText([]byte(c.Get("secret").String())); err != nil {
		return failed(err)
	}
	roster, err := seal.OpenRoster(s.id, bytesOf(c.Get("roster")))
	if err != nil {
		return failed(err)
	}
	now := c.Get("now")
	s.opener, err = seal.NewOpener(seal.OpenerConfig{
		Household: s.id, Roster: roster, Key: &key, State: bytesOf(c.Get("state")),
		Now: func() time.Time { return time.UnixMilli(int64(now.Invoke().Float())) },
	})
	if err != nil {
		return failed(err)
	}
	return map[string]any{}
}

var errNotInit = errors.New("the opener was not given a key yet")

func (s *session) household([]js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	r := s.opener.Roster()
	var cameras, viewers, revoked []any
	for _, c := range r.Cameras {
		cameras = append(cameras, map[string]any{"id": string(c.ID), "name": c.Name})
	}
	for _, v := range r.Viewers {
		viewers = append(viewers, v.Name)
	}
	for _, id := range r.Revoked {
		revoked = append(revoked, string(id))
	}
	return map[string]any{
		"id": string(s.id), "version": float64(r.Version),
		"cameras": array(cameras), "viewers": array(viewers), "revoked": array(revoked),
	}
}

func (s *session) roster(args []js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	r, err := seal.OpenRoster(s.id, bytesOf(args[0]))
	if err == nil {
		err = s.opener.SetRoster(r)
	}
	if err != nil {
		return failed(err)
	}
	return map[string]any{}
}

func (s *session) open(args []js.Value) any {
	return s.verdict(args, (*seal.Opener).Open)
}

func (s *session) check(args []js.Value) any {
	return s.verdict(args, (*seal.Opener).Check)
}

func (s *session) verdict(args []js.Value, open func(*seal.Opener, seal.CameraID, []byte) (*seal.Verified, error)) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	v, err := open(s.opener, seal.CameraID(args[0].String()), bytesOf(args[1]))
	if err != nil {
		return failed(err)
	}
	return verified(v)
}

func (s *session) ask(args []js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	cmd, _, err := s.opener.Ask(seal.CameraID(args[0].String()))
	return command(cmd, err)
}

func (s *session) watch(args []js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	return command(s.opener.Watch(seal.CameraID(args[0].String())))
}

func (s *session) resend(args []js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	cmd, err := s.opener.Resend(seal.CameraID(args[0].String()), uint64(args[1].Float()), uint64(args[2].Float()))
	return command(cmd, err)
}

func (s *session) receipt(args []js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	cmd, err := s.opener.Receipt(seal.CameraID(args[0].String()))
	if errors.Is(err, seal.ErrNothing) {
		return map[string]any{}
	}
	return command(cmd, err)
}

func (s *session) gaps(args []js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	var list []any
	for _, g := range s.opener.Gaps(seal.CameraID(args[0].String())) {
		list = append(list, map[string]any{
			"first": float64(g.First), "last": float64(g.Last), "after": milli(g.After), "before": milli(g.Before), "lost": g.Lost,
		})
	}
	return array(list)
}

// prove needs no session: what was published is for everybody.
func prove(args []js.Value) any {
	claims, media := bytesOf(args[0]), bytesOf(args[1])
	if clip.IsProof(claims) {
		return provenClip(claims, media)
	}
	p, err := seal.CheckProof(claims, media)
	if err != nil {
		return failed(err)
	}
	return proven(p, media)
}

func (s *session) state([]js.Value) any {
	if s.opener == nil {
		return failed(errNotInit)
	}
	return uint8Array(s.opener.State())
}
