package identity_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// lived returns a household with a camera, which has claimed it, and a viewer.
func lived(t *testing.T) (*identity.Household, *identity.Camera, *identity.Viewer) {
	t.Helper()
	h := newHousehold(t)
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	return h, c, v
}

func signed(t *testing.T, h *identity.Household) []byte {
	t.Helper()
	_, b, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t *testing.T, dir string) *identity.Household {
	t.Helper()
	h, err := identity.OpenHousehold(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// follows checks that a camera and a viewer take h's newest roster.
func follows(t *testing.T, h *identity.Household, c *identity.Camera, v *identity.Viewer) {
	t.Helper()
	if err := c.SetRoster(signed(t, h)); err != nil {
		t.Errorf("camera: %v", err)
	}
	if news, err := v.SetRoster(signed(t, h)); err != nil || !news {
		t.Errorf("viewer: %v, %v", news, err)
	}
}

func TestRotateOwner(t *testing.T) {
	h, c, v := lived(t)
	old, before := h.Owner(), roster(t, h)
	if err := h.RotateOwner(); err != nil {
		t.Fatal(err)
	}
	again := open(t, h.Dir())
	if again.Owner().Equal(old) || !again.Owner().Equal(h.Owner()) || again.ID() != h.ID() {
		t.Error("the owner key in the directory is not the new one, or the household is another")
	}
	r := roster(t, h)
	if r.Version != before.Version+1 || !slices.Equal(r.Withdrawn, []seal.KeyID{seal.KeyID(h.ID())}) || len(r.Owners()) != 1 {
		t.Errorf("roster %d, withdrawn %v, owners %v", r.Version, r.Withdrawn, r.Owners())
	}
	follows(t, h, c, v)
	// The old key signs nothing more that they would take.
	forged := *before
	forged.Version = r.Version + 1
	b, err := seal.SignRoster(old, forged)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(b); seal.ReasonOf(err) != seal.Revoked {
		t.Errorf("a roster by the old key: %v", err)
	}
	// Life goes on under the new one.
	if _, err := again.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	follows(t, again, c, v)
	if _, err := again.Pair(c.ID(), nil); err != nil {
		t.Errorf("a pairing by the new owner: %v", err)
	}
}

func TestRotationsAreCounted(t *testing.T) {
	h := newHousehold(t)
	for range seal.MaxGrants {
		if err := h.RotateOwner(); err != nil {
			t.Fatal(err)
		}
	}
	before := signed(t, h)
	if err := h.RotateOwner(); !errors.Is(err, identity.ErrNoMoreKeys) {
		t.Errorf("one too many: %v", err)
	}
	if !bytes.Equal(signed(t, h), before) || !open(t, h.Dir()).Owner().Equal(h.Owner()) {
		t.Error("something has changed all the same")
	}
}

// Wherever the power fails while the owner key is replaced, the directory has
// the key that its roster wants.
func TestRotationThatThePowerCutOff(t *testing.T) {
	key := func(dir string) string { return filepath.Join(dir, "owner.key") }
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, oldKey := range map[string]bool{"before the old key went": true, "when the old key was overwritten": false} {
		h, _, _ := lived(t)
		before := read(key(h.Dir()))
		if err := h.RotateOwner(); err != nil {
			t.Fatal(err)
		}
		if !oldKey {
			clear(before)
		}
		if err := errors.Join(os.Rename(key(h.Dir()), key(h.Dir())+".next"), os.WriteFile(key(h.Dir()), before, 0o600)); err != nil {
			t.Fatal(err)
		}
		if again := open(t, h.Dir()); !again.Owner().Equal(h.Owner()) {
			t.Errorf("%s: another key", name)
		}
		if _, err := os.Lstat(key(h.Dir()) + ".next"); err == nil {
			t.Errorf("%s: not finished", name)
		}
	}
	// Before the roster was written, the old key still rules, and the next attempt works.
	h, _, _ := lived(t)
	if err := os.WriteFile(key(h.Dir())+".next", []byte("hal"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := open(t, h.Dir()); !again.Owner().Equal(h.Owner()) {
		t.Error("another key")
	} else if err := again.RotateOwner(); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
}

func TestRenameCamera(t *testing.T) {
	h, c, v := lived(t)
	other, _ := newCamera(t)
	if err := h.AddCamera(other.ID(), "Door"); err != nil {
		t.Fatal(err)
	}
	if err := h.RenameCamera(c.ID(), "Door"); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := h.RenameCamera(seal.CameraID(h.ID()), "Shed"); !errors.Is(err, identity.ErrNoSuchCamera) {
		t.Errorf("a camera that is not there: %v", err)
	}
	if err := h.RenameCamera(c.ID(), "Garten \u202e"); err == nil {
		t.Error("a name that turns the line around")
	}
	if err := h.RenameCamera(c.ID(), "Gärtchen"); err != nil {
		t.Fatal(err)
	}
	if entry, _ := roster(t, h).Camera(c.ID()); entry.Name != "Gärtchen" || !entry.Since.Equal(someday) {
		t.Errorf("%+v", entry)
	}
	follows(t, h, c, v)
}

func newCode(t *testing.T) string {
	t.Helper()
	code, err := seal.NewBackupCode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func export(t *testing.T, h *identity.Household, code string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := h.Export(&b, code); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func recovery(t *testing.T, h *identity.Household, code string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := h.CreateRecovery(&b, code); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportAndImport(t *testing.T) {
	h, c, v := lived(t)
	if err := v.SetState([]byte("what desk has seen")); err != nil {
		t.Fatal(err)
	}
	code := newCode(t)
	file := export(t, h, code)
	elsewhere := filepath.Join(t.TempDir(), "new", "home")
	if err := identity.ImportHousehold(elsewhere, bytes.NewReader(file), code); err != nil {
		t.Fatal(err)
	}
	there := open(t, elsewhere)
	if there.ID() != h.ID() || !there.Owner().Equal(h.Owner()) || !bytes.Equal(signed(t, there), signed(t, h)) || there.Broker() != h.Broker() {
		t.Error("another household")
	}
	desk, err := identity.OpenViewer(elsewhere, "desk")
	if err != nil || string(desk.State()) != "what desk has seen" || desk.Key().ID() != v.Key().ID() {
		t.Errorf("the viewer does not go on where it was: %v", err)
	}
	if _, err := there.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	follows(t, there, c, desk)
	if _, err := there.Pair(c.ID(), nil); err != nil {
		t.Errorf("the camera's request is not there: %v", err)
	}
	// Nothing is overwritten, and nothing is left of what failed.
	if err := identity.ImportHousehold(elsewhere, bytes.NewReader(file), code); err == nil || !strings.Contains(err.Error(), "nothing is overwritten") {
		t.Errorf("over a household: %v", err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	for name, c := range map[string]struct {
		file []byte
		code string
		want error
	}{
		"another code":    {file, newCode(t), seal.ErrBackup},
		"cut":             {file[:len(file)-200], code, seal.ErrBackup},
		"a recovery file": {recovery(t, h, code), code, identity.ErrRecoveryFile},
	} {
		if err := identity.ImportHousehold(fresh, bytes.NewReader(c.file), c.code); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(fresh)); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// An export that was overtaken: what the cameras know already stays in force,
// and a copy that was replaced controls nothing.
func TestOlderExport(t *testing.T) {
	h, c, _ := lived(t)
	code := newCode(t)
	file := export(t, h, code)
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(signed(t, h)); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old")
	if err := identity.ImportHousehold(old, bytes.NewReader(file), code); err != nil {
		t.Fatal(err)
	}
	copied := open(t, old)
	if err := c.SetRoster(signed(t, copied)); seal.ReasonOf(err) != seal.Replayed {
		t.Errorf("the camera takes its older roster: %v", err)
	}
	if news, err := copied.TakeRoster(signed(t, h)); err != nil || !news {
		t.Fatalf("the newer roster is not taken over: %v, %v", news, err)
	}
	if news, err := copied.TakeRoster(signed(t, h)); err != nil || news {
		t.Errorf("again: %v, %v", news, err)
	}
	if err := copied.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(signed(t, copied)); err != nil || c.Roster().Version != 5 {
		t.Errorf("it does not go on from there: %v", err)
	}
	// Both copies make a fifth roster: the second is told, and any further change heals it.
	if _, err := h.AddViewer("tablet"); err != nil {
		t.Fatal(err)
	}
	var refusal *seal.Refusal
	if _, err := h.TakeRoster(signed(t, copied)); !errors.As(err, &refusal) || !refusal.Alarm {
		t.Errorf("two rosters of one version: %v", err)
	}
	// The other copy rotates the owner key: this one is out of control.
	if err := copied.RotateOwner(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.TakeRoster(signed(t, copied)); !errors.Is(err, identity.ErrWithdrawn) {
		t.Errorf("withdrawn: %v", err)
	}
	other := newHousehold(t)
	if _, err := h.TakeRoster(signed(t, other)); seal.ReasonOf(err) != seal.NotForYou {
		t.Errorf("another household's: %v", err)
	}
}

// The directory is lost. The recovery file brings control back, whoever has the
// old key has none, and cameras and viewers follow.
func TestRecover(t *testing.T) {
	h, c, v := lived(t)
	code := newCode(t)
	file := recovery(t, h, code)
	if len(roster(t, h).Owners()) != 2 {
		t.Errorf("owners: %v", roster(t, h).Owners())
	}
	follows(t, h, c, v)
	if err := h.RotateOwner(); err != nil { // the recovery key outlives it
		t.Fatal(err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	follows(t, h, c, v)

	rec, err := identity.OpenRecovery(bytes.NewReader(file), code)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Household() != h.ID() || rec.Broker() != h.Broker() || rec.Roster().Version != 4 {
		t.Errorf("household %s, broker %s, roster %d", rec.Household(), rec.Broker(), rec.Roster().Version)
	}
	if conf, err := rec.TLS(someday); err != nil || conf.Certificates[0].Leaf.Subject.CommonName != "viewer-desk" {
		t.Errorf("no way to the broker: %v", err)
	}
	if news, err := rec.Offer(signed(t, h)); err != nil || !news || rec.Roster().Version != 6 {
		t.Errorf("the newest roster is not taken: %v", err)
	}
	rec.Raise(9) // a camera says that it has that one
	dir := filepath.Join(t.TempDir(), "again")
	found, err := rec.Restore(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	r := roster(t, found)
	if r.Version != 10 || len(r.Viewers) != 2 || len(r.Cameras) != 1 || len(r.Owners()) != 2 || len(r.Withdrawn) != 2 {
		t.Errorf("roster %d: %d viewers, %d cameras, owners %v, withdrawn %v", r.Version, len(r.Viewers), len(r.Cameras), r.Owners(), r.Withdrawn)
	}
	follows(t, found, c, v)
	if _, err := h.AddViewer("thief"); err != nil { // by the old key, in the lost directory
		t.Fatal(err)
	}
	if err := c.SetRoster(signed(t, h)); seal.ReasonOf(err) != seal.Revoked {
		t.Errorf("the lost owner key rules: %v", err)
	}
	if _, err := found.AddViewer("new-desk"); err != nil {
		t.Fatal(err)
	}
	follows(t, found, c, v)
	if _, err := rec.Restore(dir, clock); err == nil {
		t.Error("overwritten")
	}
	// The file is good for a second time; until it is withdrawn.
	if n, err := found.WithdrawOthers(); err != nil || n != 1 {
		t.Errorf("withdrawn: %d, %v", n, err)
	}
	if n, err := found.WithdrawOthers(); err != nil || n != 0 {
		t.Errorf("withdrawn again: %d, %v", n, err)
	}
	if _, err := rec.Offer(signed(t, found)); !errors.Is(err, identity.ErrWithdrawn) {
		t.Errorf("a recovery key that was withdrawn: %v", err)
	}
	if _, err := identity.OpenRecovery(bytes.NewReader(export(t, found, code)), code); !errors.Is(err, identity.ErrExportFile) {
		t.Errorf("an export: %v", err)
	}
}

func TestWithoutAnyOwnerKey(t *testing.T) {
	h, _, _ := lived(t)
	if err := os.Remove(filepath.Join(h.Dir(), "owner.key")); err != nil {
		t.Fatal(err)
	}
	_, err := identity.OpenHousehold(h.Dir(), clock)
	var none *identity.NotOwnerError
	if !errors.Is(err, identity.ErrNotOwner) || !errors.As(err, &none) {
		t.Fatalf("%v", err)
	}
	for _, way := range []string{"import", "recover", "reset every camera", "sealcamd reset -yes"} {
		if !strings.Contains(none.Hint(), way) {
			t.Errorf("the hint does not say %q: %s", way, none.Hint())
		}
	}
}

func TestBackupFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	broken := errors.New("disk full")
	if err := identity.WriteBackupFile(path, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("half a file is left")
	}
	write := func(w io.Writer) error { _, err := w.Write([]byte("whole")); return err }
	if err := identity.WriteBackupFile(path, write); err != nil {
		t.Fatal(err)
	}
	if err := identity.WriteBackupFile(path, write); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwritten: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}
