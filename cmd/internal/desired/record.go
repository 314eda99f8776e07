package desired

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// record is what lasts.
type record struct {
	Format  int      `json:"format"`
	Targets []*entry `json:"targets,omitempty"` // in the order of application
}

// recordFormat is that of the file. A later one may add what an older program does
// without, and raises the number if that would be wrong.
const recordFormat = 1

// load reads what is kept. What contradicts itself is damaged.
func load(m Memory) (r record, err error) {
	empty := record{Format: recordFormat}
	b, err := m.Load()
	if err != nil || len(b) == 0 {
		return empty, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return empty, fmt.Errorf("it is damaged: %w", err)
	}
	if r.Format != recordFormat {
		return empty, fmt.Errorf("it is of format %d, and this software knows %d", r.Format, recordFormat)
	}
	if err := r.check(); err != nil {
		return empty, err
	}
	return r, nil
}

func (r *record) check() error {
	trials := 0
	for i, e := range r.Targets {
		if e == nil || e.For == "" || i > 0 && r.Targets[i-1].For.rank() >= e.For.rank() || i >= maxTargets {
			return errors.New("it is damaged: targets out of order")
		}
		for _, s := range []*Settings{e.Holds, e.Trial, e.Next} {
			if s != nil && (s.For != e.For || s.Version == 0) {
				return errors.New("it is damaged: settings at the wrong place")
			}
		}
		if e.Trial != nil {
			trials++
		}
	}
	if trials > 1 {
		return errors.New("it is damaged: two trials")
	}
	return nil
}

// clone copies all that is written to: entries, and not the Settings in them, which
// are replaced whole.
func (r *record) clone() record {
	next := record{Format: recordFormat, Targets: make([]*entry, len(r.Targets))}
	for i, e := range r.Targets {
		c := *e
		next.Targets[i] = &c
	}
	return next
}

// entry returns what is known of a target, nil if there are too many.
func (r *record) entry(t Target) *entry {
	i, found := slices.BinarySearchFunc(r.Targets, t, func(e *entry, t Target) int { return strings.Compare(e.For.rank(), t.rank()) })
	switch {
	case found:
		return r.Targets[i]
	case len(r.Targets) >= maxTargets:
		return nil
	}
	e := &entry{For: t}
	r.Targets = slices.Insert(r.Targets, i, e)
	return e
}

// store writes r if it says something else than what is stored.
func (b *Book) store(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return b.config.Memory.Store(text)
}

// set stores next, and then goes by it: what cannot be stored has not happened.
func (b *Book) set(next record) error {
	if err := b.store(next); err != nil {
		return fmt.Errorf("it cannot be stored: %w", err)
	}
	b.record = next
	return nil
}
