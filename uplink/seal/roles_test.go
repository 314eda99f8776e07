package seal

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// site is a household with operators and a keeper.
type site struct {
	*home
	keeper   *ecdsa.PrivateKey
	keeperID KeyID
	watcher  *ViewerKey // may watch
	operator *ViewerKey // may command and add, and not watch
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{home: newHome(t), keeper: newKey(t)}
	var err error
	s.keeperID, err = KeyIDOf(s.keeper.Public())
	must(t, err)
	s.watcher, err = NewViewerKey(nil)
	must(t, err)
	s.operator, err = NewViewerKey(nil)
	must(t, err)
	s.roster = s.sign(t, 1, func(r *Roster) { s.people(t, r) })
	return s
}

// people puts everybody of s into r.
func (s *site) people(t testing.TB, r *Roster) {
	t.Helper()
	key, err := MarshalPublicKey(s.keeper.Public())
	must(t, err)
	r.Keepers = []Keeper{{"cellar", key, "https://cellar.example:8443"}}
	for _, v := range []struct {
		key   *ViewerKey
		name  string
		roles Roles
	}{{s.watcher, "watcher", MayWatch}, {s.operator, "operator", MayCommand | MayAdd}} {
		p := v.key.Public()
		p.Name, p.Roles = v.name, v.roles
		r.Viewers = append(r.Viewers, p)
	}
	r.Cameras[0].Groups = []string{"east", "gates"}
}

// signers are all who can try to sign something for s.
func (s *site) signers(t testing.TB) map[string]*ecdsa.PrivateKey {
	return map[string]*ecdsa.PrivateKey{
		"owner": s.owner, "phone": s.viewer.signer, "watcher": s.watcher.signer, "operator": s.operator.signer,
		"keeper": s.keeper, "stranger": newKey(t), "camera": s.camera,
	}
}

// allowed checks that exactly those of names are not refused, the others as Revoked.
func (s *site) allowed(t *testing.T, names string, try func(by *ecdsa.PrivateKey) error) {
	t.Helper()
	for name, by := range s.signers(t) {
		want := Revoked
		if strings.Contains(" "+names+" ", " "+name+" ") {
			want = ""
		}
		if err := try(by); ReasonOf(err) != want || err != nil && want == "" {
			t.Errorf("by the %s: %v, want %q", name, err, want)
		}
	}
}

// TestRosterEntries: what a roster says beyond cameras and viewers comes back as it
// was signed, and a roster that says none of it is encoded as it always was.
func TestRosterEntries(t *testing.T) {
	s := newSite(t)
	next := s.sign(t, 2, func(r *Roster) { s.people(t, r); r.Prev = s.roster.Hash() })
	k, ok := next.Keeper(s.keeperID)
	if !ok || k.Name != "cellar" || k.URL != "https://cellar.example:8443" || next.Prev != s.roster.Hash() {
		t.Errorf("keeper %v, %+v; before it %x", ok, k, next.Prev)
	}
	if c, _ := next.Camera(s.cameraID); !reflect.DeepEqual(c.Groups, []string{"east", "gates"}) {
		t.Errorf("groups %q", c.Groups)
	}
	var roles []string
	for _, v := range next.Viewers {
		roles = append(roles, v.Name+" "+v.Roles.String())
	}
	if fmt.Sprint(roles) != "[phone watch,command watcher watch operator command,add]" {
		t.Errorf("roles %q", roles)
	}
	plain, said := s.sign(t, 3, nil), s.sign(t, 3, func(r *Roster) { r.Viewers[0].Roles = DefaultRoles })
	a, err := plain.claims("x")
	must(t, err)
	b, err := said.claims("x")
	must(t, err)
	if !reflect.DeepEqual(a, b) || len(a.Keepers)+len(a.Prev)+int(a.Viewers[0].Roles) != 0 {
		t.Errorf("roles said in so many words: %+v, %+v", a, b)
	}
}

// TestRosterRefusesEntries: what no household can mean is no roster.
func TestRosterRefusesEntries(t *testing.T) {
	s := newSite(t)
	phone := s.viewer.Public().Key
	for name, change := range map[string]func(r *Roster){
		"keeper without a name": func(r *Roster) { r.Keepers[0].Name = "" },
		"keeper without a key":  func(r *Roster) { r.Keepers[0].Key = nil },
		"keeper twice":          func(r *Roster) { r.Keepers = append(r.Keepers, r.Keepers[0]) },
		"a viewer's key":        func(r *Roster) { r.Keepers[0].Key = phone },
		"plain HTTP":            func(r *Roster) { r.Keepers[0].URL = "http://cellar.example" },
		"a path":                func(r *Roster) { r.Keepers[0].URL = "https://cellar.example/a" },
		"no host":               func(r *Roster) { r.Keepers[0].URL = "https://" },
		"a long URL":            func(r *Roster) { r.Keepers[0].URL = "https://" + strings.Repeat("a", MaxURL) },
		"nine keepers": func(r *Roster) {
			r.Keepers = nil
			for i := range MaxKeepers + 1 {
				key, err := MarshalPublicKey(newKey(t).Public())
				must(t, err)
				r.Keepers = append(r.Keepers, Keeper{Name: fmt.Sprint(i), Key: key})
			}
		},
		"an unknown role":    func(r *Roster) { r.Viewers[0].Roles = 8 },
		"adds without a key": func(r *Roster) { r.Viewers[0].Roles, r.Viewers[0].Key = MayWatch|MayAdd, nil },
		"groups unsorted":    func(r *Roster) { r.Cameras[0].Groups = []string{"b", "a"} },
		"a group twice":      func(r *Roster) { r.Cameras[0].Groups = []string{"a", "a"} },
		"no token":           func(r *Roster) { r.Cameras[0].Groups = []string{"East wing"} },
		"an empty group":     func(r *Roster) { r.Cameras[0].Groups = []string{""} },
		"many groups":        func(r *Roster) { r.Cameras[0].Groups = strings.Split("abcdefghijklmnopq", "") },
	} {
		r := Roster{Version: 1, Cameras: []RosterCamera{{ID: s.cameraID}}, Viewers: []Viewer{s.viewer.Public()}}
		r.Viewers[0].Name = "phone"
		s.people(t, &r)
		change(&r)
		if _, err := SignRoster(s.owner, r); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// TestRolesSay: roles are read as they are written.
func TestRolesSay(t *testing.T) {
	for r := Roles(1); r <= allRoles; r++ {
		if again, err := ParseRoles(r.String()); err != nil || again != r {
			t.Errorf("%d: %q, %v", r, r, err)
		}
	}
	for _, s := range []string{"", "watch,", "watch,watch", "Watch", "all", "watch, add"} {
		if r, err := ParseRoles(s); err == nil {
			t.Errorf("%q: %s", s, r)
		}
	}
	if (Viewer{}).Roles.String() != "watch,command" || !(Viewer{}).May(DefaultRoles) || (Viewer{}).May(MayAdd) {
		t.Error("a viewer of which nothing is said")
	}
}

// TestCommandRoles: who may tell a camera what.
func TestCommandRoles(t *testing.T) {
	s := newSite(t)
	for verb, who := range map[string]string{
		VerbReceipt: "owner phone watcher keeper", VerbResend: "owner phone watcher keeper",
		VerbSnapshot: "owner phone watcher", VerbWatch: "owner phone watcher", VerbFetch: "owner phone watcher",
		VerbPrivacyOn: "owner phone operator", VerbPrivacyOff: "owner phone operator", VerbReset: "owner phone operator",
		"something-new": "owner phone operator",
	} {
		t.Run(verb, func(t *testing.T) {
			s.allowed(t, who, func(by *ecdsa.PrivateKey) error {
				b, err := SignCommand(by, Command{Camera: s.cameraID, Counter: 1, Verb: verb, Issued: s.now, Expires: s.now.Add(time.Minute)})
				must(t, err)
				c, err := s.guard(t, nil).Accept(b, false, s.now)
				if err == nil && (c.Keeper != (by == s.keeper) || c.Owner != (by == s.owner) || c.Keeper && c.Name != "cellar") {
					t.Errorf("owner %v, keeper %v, name %q", c.Owner, c.Keeper, c.Name)
				}
				return err
			})
		})
	}
}

// TestSealedToWatchers: who may not watch is not sealed to, and a camera with
// nobody who may seals nothing.
func TestSealedToWatchers(t *testing.T) {
	s := newSite(t)
	m, err := s.sealer(t).Seal(Meta{Stream: Durable, Seq: 1, Kind: KindStatus, Media: "application/json", Clock: ClockNTP, Taken: s.now}, []byte("{}"))
	must(t, err)
	for key, want := range map[*ViewerKey]Reason{s.viewer: "", s.watcher: "", s.operator: NotForYou} {
		o, err := NewOpener(OpenerConfig{Household: s.id, Roster: s.roster, Key: key, Now: func() time.Time { return s.now }})
		must(t, err)
		if _, err := o.Open(s.cameraID, m.Bytes); ReasonOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	deaf := s.sign(t, 2, func(r *Roster) { r.Viewers[0].Roles = MayCommand })
	err = s.sealer(t).SetRoster(deaf)
	if err == nil || errors.As(err, new(*Refusal)) {
		t.Errorf("sealed to nobody: %v", err)
	}
}

// TestPeekRoster: whose roster something says to be, and of which version, without
// belief in it; what a later format has signed can be told from what is broken.
func TestPeekRoster(t *testing.T) {
	s := newSite(t)
	b, err := SignRoster(s.owner, Roster{Version: 7})
	must(t, err)
	if h, version, err := PeekRoster(b); h != s.id || version != 7 || err != nil {
		t.Errorf("%s, %d, %v", h, version, err)
	}
	forged := Envelope{Key: newKey(t), Type: TypeRoster}.Sign(t, map[int]any{3: string(s.id), -65537: 2, -65538: 9, -65590: true})
	if h, version, err := PeekRoster(forged); h != s.id || version != 9 || err != nil {
		t.Errorf("of a later format: %s, %d, %v", h, version, err)
	}
	if _, err := OpenRoster(s.id, forged); ReasonOf(err) != Malformed || !errors.Is(err, ErrNewer) {
		t.Errorf("of a later format: %v", err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "a pass": s.pass(t, s.owner, nil), "large": make([]byte, MaxRoster+1), "a byte more": append(b, 0)} {
		if _, _, err := PeekRoster(b); ReasonOf(err) != Malformed || errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
