package v4l2

import (
	"path/filepath"
	"sort"
)

// Devices returns every video node there is, by number, cameras and others. It
// opens each for a moment, which disturbs no capture that is running.
func Devices() ([]Device, error) {
	paths, err := filepath.Glob("/dev/video*")
	if err != nil {
		return nil, err
	}
	byNumber(paths)
	var out []Device
	for _, p := range paths {
		out = append(out, look(p))
	}
	return out, nil
}

func look(path string) Device {
	d := Device{Path: path}
	caps, err := probe(path)
	if err != nil {
		d.Err = failed(path, "opening", err)
		return d
	}
	d.Name, d.Driver, d.Bus = text(caps.Card[:]), text(caps.Driver[:]), text(caps.BusInfo[:])
	if m, caps, err := openCodec(path); err == nil {
		if info, ok := describe(path, m, caps); ok {
			d.Encoder = &info
		}
		_ = m.close()
	}
	k, err := openNode(path)
	if err != nil {
		d.Err = err
		return d
	}
	d.Offers = k.offers()
	d.Err = k.close()
	if d.Err == nil && len(picks(Want{}, d.Offers)) == 0 {
		d.Err = noFormat(path, Want{}, d.Offers)
	}
	return d
}

// byNumber sorts paths as people count: video2 before video10.
func byNumber(paths []string) {
	sort.Slice(paths, func(i, j int) bool {
		if len(paths[i]) != len(paths[j]) {
			return len(paths[i]) < len(paths[j])
		}
		return paths[i] < paths[j]
	})
}
