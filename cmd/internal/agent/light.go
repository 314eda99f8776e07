package agent

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/pins"
)

// lighting is the board's pins and the controller that acts on them.
type lighting struct {
	board *pins.Board
	part  *daynight.Part
}

// openLight chooses the board, opens and parks its pins, and puts the day/night
// controller on them. A board without pins still tells day from night.
func openLight(s Settings, log *slog.Logger) (*lighting, error) {
	profile, note, err := boards.Choose(s.Board, os.DirFS("/"))
	if err != nil {
		return nil, fmt.Errorf("board: %w", err)
	}
	log.Info("board", "name", profile.Name, "note", note)
	var host pins.Host
	if profile.HasPins() {
		if host, err = pins.System(log); err != nil {
			return nil, err
		}
	}
	l := &lighting{}
	if l.board, err = pins.Open(profile, host, log); err != nil {
		return nil, fmt.Errorf("board %s: %w", profile.Name, err)
	}
	l.part, err = daynight.NewPart(daynight.PartConfig{
		Controller: daynight.Config{Mode: s.Light.Mode, Schedule: s.Light.Schedule},
		Actuator:   l.board.Actuator, Ambient: l.board.Ambient, Log: log.With("part", "light"),
	})
	if err != nil {
		l.board.Close()
		return nil, err
	}
	return l, nil
}

// close parks lamp and filter.
func (l *lighting) close(log *slog.Logger) {
	for _, close := range []func() error{l.part.Close, l.board.Close} {
		if err := close(); err != nil {
			log.Error("the board's pins could not be parked", "err", err)
		}
	}
}
