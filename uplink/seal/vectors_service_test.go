package seal_test

import (
	"crypto/ecdsa"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// served hands something that by signed to who has the site's roster.
func served(op, typ string, by func(c *cast) *ecdsa.PrivateKey, make func(c *cast, by *ecdsa.PrivateKey) []byte, forge func(c *cast, e *seal.Envelope)) filler {
	return func(c *cast, v *sealtest.Vector) {
		v.Op, v.Viewer, v.Roster = op, nil, c.signRoster(c.owner, c.site)
		if op != "settings" && op != "command" {
			v.Camera = ""
		}
		v.Body = make(c, by(c))
		if forge != nil {
			e := seal.Envelope{Key: by(c), Type: typ}
			forge(c, &e)
			v.Body = e.Sign(c.t, rawClaims(c.t, v.Body))
		}
	}
}

// by returns cases that differ in who signs.
func byWhom(name string, allowed []string, fill func(by func(c *cast) *ecdsa.PrivateKey) filler) (all []vcase) {
	for _, who := range []struct {
		name string
		key  func(c *cast) *ecdsa.PrivateKey
	}{
		{"owner", func(c *cast) *ecdsa.PrivateKey { return c.owner }},
		{"phone", func(c *cast) *ecdsa.PrivateKey { return signer(c.phone) }},
		{"watcher", (*cast).watcher}, {"operator", (*cast).operator}, {"keeper", (*cast).keeper},
		{"thief", func(c *cast) *ecdsa.PrivateKey { return signer(c.thief) }},
	} {
		expect := "revoked"
		if slices.Contains(allowed, who.name) {
			expect = "verified"
		}
		all = append(all, vcase{name + "-by-" + who.name, expect, "signed by the " + who.name + " of a site", fill(who.key)})
	}
	return all
}

// faults are those of everything that is signed.
func faults(name string, honest func(forge func(c *cast, e *seal.Envelope)) filler, claims map[string]func(m seal.Map)) (all []vcase) {
	all = []vcase{
		{name + "-signature", "broken seal", "signed by somebody else", honest(func(c *cast, e *seal.Envelope) { e.Signer = c.stranger })},
		{name + "-high-s", "broken seal", "the other signature that anybody can make", honest(func(c *cast, e *seal.Envelope) { e.HighS = true })},
		{name + "-kid", "broken seal", "the header names another key than the claims", honest(func(c *cast, e *seal.Envelope) { e.Protected = set(4, hash("another")) })},
		{name + "-type", "malformed", "signed as a seal", honest(func(c *cast, e *seal.Envelope) { e.Type = seal.TypeSeal })},
		{name + "-unknown-claim", "malformed", "a claim that this version does not know", honest(func(c *cast, e *seal.Envelope) { e.Claims = set(-65590, 1) })},
		{name + "-version-2", "malformed", "a later format version", honest(func(c *cast, e *seal.Envelope) { e.Claims = set(-65537, 2) })},
	}
	for comment, change := range claims {
		all = append(all, vcase{name + "-" + comment, "malformed", comment, honest(func(c *cast, e *seal.Envelope) { e.Claims = change })})
	}
	slices.SortFunc(all, func(a, b vcase) int { // a map has no order
		switch {
		case a.name < b.name:
			return -1
		case a.name > b.name:
			return 1
		}
		return 0
	})
	return all
}

// serviceCases are what keepers and settings are about.
func serviceCases() []vcase {
	return slices.Concat(passCases(), deletionCases(), settingsCases(), verbCases())
}

func passCases() []vcase {
	pass := func(change func(c *cast, p *seal.Pass)) func(c *cast, by *ecdsa.PrivateKey) []byte {
		return func(c *cast, by *ecdsa.PrivateKey) []byte {
			keeper, err := seal.KeyIDOf(c.keeper().Public())
			ok(c.t, err)
			p := seal.Pass{Household: c.home, Keeper: keeper, Issued: c.now, Expires: c.now.Add(seal.PassLife)}
			if change != nil {
				change(c, &p)
			}
			b, err := seal.SignPass(by, p)
			ok(c.t, err)
			return b
		}
	}
	honest := func(forge func(c *cast, e *seal.Envelope)) filler {
		return served("pass", seal.TypePass, (*cast).watcher, pass(nil), forge)
	}
	at := func(d time.Duration) filler {
		return honest(nil).with(func(v *sealtest.Vector) { v.Now = v.Now.Add(d) })
	}
	return slices.Concat(
		byWhom("pass", []string{"owner", "phone", "watcher"}, func(by func(c *cast) *ecdsa.PrivateKey) filler {
			return served("pass", seal.TypePass, by, pass(nil), nil)
		}),
		[]vcase{
			{"pass-household", "not for you", "for another household", served("pass", seal.TypePass, (*cast).watcher, pass(func(c *cast, p *seal.Pass) { p.Household = c.elsewhere }), nil)},
			{"pass-last-second", "verified", "in its last second", at(seal.PassLife - time.Second)},
			{"pass-expired", "stale", "in the second it expires", at(seal.PassLife)},
			{"pass-ahead", "verified", "by a clock that is two minutes ahead", at(-seal.PassSkew)},
			{"pass-far-ahead", "stale", "by a clock that is further ahead", at(-seal.PassSkew - time.Second)},
			{"pass-too-large", "malformed", "more than 1,024 bytes", honest(nil).with(func(v *sealtest.Vector) { v.Body = make([]byte, seal.MaxPass+1) })},
		},
		faults("pass", honest, map[string]func(m seal.Map){
			"too-long":     func(m seal.Map) { m[int64(4)] = m[int64(6)].(uint64) + 601 },
			"no-life":      func(m seal.Map) { m[int64(4)] = m[int64(6)] },
			"no-time":      set(6, nil),
			"no-keeper":    set(3, nil),
			"no-household": set(-65563, nil),
		}))
}

func deletionCases() []vcase {
	order := func(change func(c *cast, d *seal.Deletion)) func(c *cast, by *ecdsa.PrivateKey) []byte {
		return func(c *cast, by *ecdsa.PrivateKey) []byte {
			keeper, err := seal.KeyIDOf(c.keeper().Public())
			ok(c.t, err)
			d := seal.Deletion{Household: c.home, Keeper: keeper, Camera: id(c.t, c.door), From: 3, To: 9, Counter: 100, Issued: c.now, Expires: c.now.Add(time.Hour)}
			if change != nil {
				change(c, &d)
			}
			b, err := seal.SignDeletion(by, d)
			ok(c.t, err)
			return b
		}
	}
	answer := func(c *cast, by *ecdsa.PrivateKey) []byte {
		b, err := seal.SignDeleted(by, seal.Deleted{Household: c.home, Deletion: [32]byte(hash("deletion")), Messages: 7, Bytes: 700000, Issued: c.now})
		ok(c.t, err)
		return b
	}
	owner := func(c *cast) *ecdsa.PrivateKey { return c.owner }
	honest := func(forge func(c *cast, e *seal.Envelope)) filler {
		return served("deletion", seal.TypeDeletion, owner, order(nil), forge)
	}
	answered := func(forge func(c *cast, e *seal.Envelope)) filler {
		return served("deleted", seal.TypeDeleted, (*cast).keeper, answer, forge)
	}
	other := func(change func(c *cast, d *seal.Deletion)) filler {
		return served("deletion", seal.TypeDeletion, owner, order(change), nil)
	}
	return slices.Concat(
		byWhom("deletion", []string{"owner"}, func(by func(c *cast) *ecdsa.PrivateKey) filler {
			return served("deletion", seal.TypeDeletion, by, order(nil), nil)
		}),
		byWhom("deleted", []string{"keeper"}, func(by func(c *cast) *ecdsa.PrivateKey) filler {
			return served("deleted", seal.TypeDeleted, by, answer, nil)
		}),
		[]vcase{
			{"deletion-all", "verified", "all of the household", other(func(c *cast, d *seal.Deletion) { d.Camera, d.From, d.To = "", 0, 0 })},
			{"deletion-gone", "verified", "of a camera that is gone", other(func(c *cast, d *seal.Deletion) { d.Camera = id(c.t, c.sold) })},
			{"deletion-household", "not for you", "for another household", other(func(c *cast, d *seal.Deletion) { d.Household = c.elsewhere })},
			{"deleted-household", "not for you", "to another household", answered(func(c *cast, e *seal.Envelope) { e.Claims = set(3, string(c.elsewhere)) })},
		},
		faults("deletion", honest, map[string]func(m seal.Map){
			"no-expiry":   set(4, nil),
			"counter-0":   set(-65550, 0),
			"falling":     func(m seal.Map) { m[int64(-65553)] = 10 },
			"no-end":      set(-65554, nil),
			"no-camera":   set(-65564, nil),
			"camera-form": set(-65564, "front door"),
		}),
		faults("deleted", answered, map[string]func(m seal.Map){
			"hash-short": set(-65565, make([]byte, 31)),
			"no-hash":    set(-65565, nil),
			"no-time":    set(6, nil),
			"messages-0": set(-65566, 0),
		}))
}

func settingsCases() []vcase {
	settings := func(change func(c *cast, s *seal.Settings)) func(c *cast, by *ecdsa.PrivateKey) []byte {
		return func(c *cast, by *ecdsa.PrivateKey) []byte {
			s := seal.Settings{Household: c.home, Version: 5, Group: "gates", Body: []byte("[motion]\nsensitivity = 4\n"), Issued: c.now}
			if change != nil {
				change(c, &s)
			}
			b, err := seal.SignSettings(by, s)
			ok(c.t, err)
			return b
		}
	}
	of := func(change func(c *cast, s *seal.Settings)) filler {
		return served("settings", seal.TypeSettings, (*cast).operator, settings(change), nil)
	}
	honest := func(forge func(c *cast, e *seal.Envelope)) filler {
		return served("settings", seal.TypeSettings, (*cast).operator, settings(nil), forge)
	}
	return slices.Concat(
		byWhom("settings", []string{"owner", "phone", "operator"}, func(by func(c *cast) *ecdsa.PrivateKey) filler {
			return served("settings", seal.TypeSettings, by, settings(nil), nil)
		}),
		[]vcase{
			{"settings-camera", "verified", "for this camera", of(func(c *cast, s *seal.Settings) { s.Group, s.Camera = "", id(c.t, c.door) })},
			{"settings-all", "verified", "for all cameras", of(func(c *cast, s *seal.Settings) { s.Group = "" })},
			{"settings-empty", "verified", "back to what the camera has by itself", of(func(c *cast, s *seal.Settings) { s.Body = nil })},
			{"settings-largest", "verified", "65,536 bytes", of(func(c *cast, s *seal.Settings) { s.Body = make([]byte, seal.MaxSettings) })},
			{"settings-other-camera", "wrong camera", "for another camera", of(func(c *cast, s *seal.Settings) { s.Group, s.Camera = "", id(c.t, c.garden) })},
			{"settings-other-group", "wrong camera", "for a group that the camera is not in", of(func(c *cast, s *seal.Settings) { s.Group = "west" })},
			{"settings-household", "not for you", "of another household", of(func(c *cast, s *seal.Settings) { s.Household = c.elsewhere })},
			{"settings-revoked", "revoked", "for a camera that the roster does not name", of(func(c *cast, s *seal.Settings) { s.Group = "" }).more(func(c *cast, v *sealtest.Vector) { v.Camera = id(c.t, c.spare) })},
		},
		faults("settings", honest, map[string]func(m seal.Map){
			"too-large":  set(-65569, make([]byte, seal.MaxSettings+1)),
			"version-0":  set(-65571, 0),
			"no-time":    set(6, nil),
			"group-form": set(-65568, "East wing"),
			"both":       func(m seal.Map) { m[int64(-65564)] = m[int64(3)] },
		}))
}

// verbCases are who may tell a camera what.
func verbCases() (all []vcase) {
	for verb, allowed := range map[string][]string{
		seal.VerbReceipt:   {"owner", "phone", "watcher", "keeper"},
		seal.VerbResend:    {"owner", "phone", "watcher", "keeper"},
		seal.VerbSnapshot:  {"owner", "phone", "watcher"},
		"something-unseen": {"owner", "phone", "operator"},
	} {
		all = append(all, byWhom("role-"+verb, allowed, func(by func(c *cast) *ecdsa.PrivateKey) filler {
			return served("command", "", by, func(c *cast, by *ecdsa.PrivateKey) []byte {
				return c.command(by, func(c *cast, m *seal.Command) { m.Verb, m.From, m.To = verb, 1, 5 })
			}, nil)
		})...)
	}
	return all
}
