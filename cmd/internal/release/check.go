package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// runCheck makes the release twice, the second time in a copy of the tree with a
// build cache of its own, and compares all files.
func runCheck(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("release check", "release check [-out DIR] [-only ARCH,...] [-number N] [-dirty]", "Makes the release in two folders, the second time from nothing, and compares.")
	c, err := parse(ctx, env, fs, args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sealcam-again-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(ctx, c.Tree, filepath.Join(dir, "elsewhere")); err != nil {
		return err
	}
	again := *c
	again.Tree, again.Out = filepath.Join(dir, "elsewhere"), filepath.Join(dir, "again")
	again.Env = []string{"GOCACHE=" + filepath.Join(dir, "cache")}
	for _, made := range []*Config{c, &again} {
		if err := made.make(ctx); err != nil {
			return err
		}
	}
	n, err := same(c.Out, again.Out)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%s: %d files are the same bytes from two folders\n", c.Stamp.Version, n)
	return nil
}

// copyTree copies what git knows of a tree, as it is there now, to another folder.
func copyTree(ctx context.Context, from, to string) error {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = from
	list, err := output(cmd)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return err
		}
		st, err := os.Stat(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), data, st.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// same compares two directories of files by their hashes, and returns how many
// there are.
func same(a, b string) (int, error) {
	left, err := sums(a)
	if err != nil {
		return 0, err
	}
	right, err := sums(b)
	if err != nil {
		return 0, err
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if left[name] != right[name] {
			return 0, fmt.Errorf("%s is not the same from two folders: %s and %s", name, left[name], cmp.Or(right[name], "missing"))
		}
	}
	if len(left) != len(right) {
		return 0, fmt.Errorf("%d files from one folder, %d from the other", len(left), len(right))
	}
	return len(left), nil
}

func sums(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for _, e := range entries {
		found, err := artifact(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		all[e.Name()] = found.SHA256
	}
	return all, nil
}
