package store

import (
	"context"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Trim drops what policy says is too old or too much of each household, the
// first that came first, and gives its room back. It costs one look at a
// household that has nothing to drop. Who breaks it off by ctx has lost
// nothing: the next one goes on.
func (s *Store) Trim(ctx context.Context, policy func(seal.HouseholdID) Policy) (messages uint64, size int64, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	noted := uint64(0)
	for id := seal.HouseholdID(""); ; {
		if err := s.breathe(ctx); err != nil {
			return messages, size, err
		}
		var more bool
		if id, more, err = s.houseAfter(id); err != nil || !more {
			break
		}
		n, b, err := s.trimHouse(ctx, id, policy(id))
		messages, size, noted = messages+n, size+b, noted+n
		if err != nil {
			return messages, size, failure("trim", err)
		}
		if noted >= maxErase {
			noted = 0
			if err := s.erase(ctx); err != nil {
				return messages, size, err
			}
		}
	}
	if err != nil {
		return messages, size, failure("trim", err)
	}
	return messages, size, s.erase(ctx)
}

// houseAfter returns the household that follows one in the index.
func (s *Store) houseAfter(id seal.HouseholdID) (next seal.HouseholdID, more bool, err error) {
	err = s.x.view(func(t tx) error {
		c := t.tree(treeHousehold).Cursor()
		k, _ := c.Seek([]byte(id))
		if id != "" && string(k) == string(id) {
			k, _ = c.Next()
		}
		next, more = seal.HouseholdID(k), k != nil
		return nil
	})
	return next, more, err
}

func (s *Store) trimHouse(ctx context.Context, id seal.HouseholdID, p Policy) (messages uint64, size int64, err error) {
	if p.Age <= 0 && p.Bytes <= 0 {
		return 0, 0, nil
	}
	before := s.config.Now().Add(-p.Age)
	messages, size, err = s.dropAll(ctx, id, false, func(t tx) (rows []row, err error) {
		h, err := t.house(id)
		if err != nil {
			return nil, err
		}
		var rerr error
		walk(t.tree(treeArrival), h.Num, 1, h.Cursor, false, func(at uint64, v []byte) bool {
			if (p.Age <= 0 || !rowReceived(v).Before(before)) && (p.Bytes <= 0 || h.Bytes <= p.Bytes) {
				return false
			}
			var r row
			if r, rerr = t.decodeRow(v, at); rerr != nil {
				return false
			}
			r.Visible.Household = id
			h.Bytes -= int64(r.Visible.Size)
			rows = append(rows, r)
			return len(rows) < chunk
		})
		return rows, rerr
	})
	if err != nil || messages == 0 {
		return messages, size, err
	}
	return messages, size, s.rememberCursor(id)
}

// rememberCursor writes down how far a household has come if no message says
// it any more, so that a cursor is never used again even when the index is lost.
func (s *Store) rememberCursor(id seal.HouseholdID) error {
	var h houseRow
	err := s.x.view(func(t tx) (err error) { h, err = t.house(id); return err })
	if err != nil || h.Count > 0 {
		return err
	}
	file, err := loadHouse(s.disk, id)
	if err != nil {
		return err
	}
	file.Cursor, file.Received = h.Cursor, h.Received
	return file.save(s.disk)
}
