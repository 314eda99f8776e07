package agent

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/enrol"
	"github.com/sealcam/sealcam/cmd/internal/lighting"
	"github.com/sealcam/sealcam/cmd/internal/local"
	"github.com/sealcam/sealcam/cmd/internal/naming"
	"github.com/sealcam/sealcam/cmd/internal/privacy"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// Settings is the file of sealcamd, one field per key. sealcamd.toml, shipped
// beside the command, explains every one.
type Settings struct {
	Format int    `toml:"format"`
	State  string `toml:"state"`
	Log    string `toml:"log"`
	Board  string `toml:"board"`

	Camera struct {
		Source string  `toml:"source"`
		Width  int     `toml:"width"`
		Height int     `toml:"height"`
		Rate   float64 `toml:"rate"`
		Format string  `toml:"format"`
		Once   bool    `toml:"once"`
		lighting.CameraSettings
	} `toml:"camera"`
	Motion MotionSettings `toml:"motion"`
	Tamper struct {
		Enabled bool `toml:"enabled"`
	} `toml:"tamper"`
	Light   lighting.Settings `toml:"light"`
	Model   naming.Settings   `toml:"model"`
	Privacy struct {
		Button   bool            `toml:"button"`
		Schedule []daynight.Span `toml:"schedule"`
		Masks    []MaskSettings  `toml:"mask"`
	} `toml:"privacy"`
	Clips struct {
		Enabled bool          `toml:"enabled"`
		Format  string        `toml:"format"`
		Before  toml.Duration `toml:"before"`
		After   toml.Duration `toml:"after"`
		Max     toml.Duration `toml:"max"`
		Memory  toml.ByteSize `toml:"memory"`
	} `toml:"clips"`
	Recording struct {
		Enabled   bool          `toml:"enabled"`
		Directory string        `toml:"directory"`
		Budget    toml.ByteSize `toml:"budget"`
		Rate      toml.ByteSize `toml:"rate"`
	} `toml:"recording"`
	Live struct {
		Every toml.Duration `toml:"every"`
		View  float64       `toml:"view"`
	} `toml:"live"`
	Pairing struct {
		Lens bool     `toml:"lens"`
		WiFi []string `toml:"wifi"`
	} `toml:"pairing"`
	Uplink struct {
		Broker string        `toml:"broker"`
		Budget toml.ByteSize `toml:"budget"`
		Status toml.Duration `toml:"status"`
		Spread toml.Duration `toml:"spread"`
	} `toml:"uplink"`
	Identity enrol.Settings   `toml:"identity"`
	Update   UpdateSettings   `toml:"update"`
	Watchdog WatchdogSettings `toml:"watchdog"`
	Metrics  struct {
		Listen string `toml:"listen"`
	} `toml:"metrics"`

	Passed Passed `toml:"-"` // what was passed over, in a file of a newer format
}

// Defaults returns the settings of a camera whose file is empty.
func Defaults() Settings {
	var s Settings
	s.Format = 1
	s.State = "/var/lib/sealcam"
	s.Log = "info"
	s.Board = "auto"
	s.Camera.Source = "auto"
	s.Camera.CameraSettings = lighting.CameraSettings{PowerLine: "auto", Slow: true}
	s.Camera.Format = "auto"
	s.Motion.Enabled = true
	s.Motion.Sensitivity = 5
	s.Motion.Rate = 10
	s.Tamper.Enabled = true
	s.Light = lighting.Settings{Night: daynight.Span{From: 20 * time.Hour, To: 6*time.Hour + 30*time.Minute}, Dark: 28, LampMax: 1}
	s.Clips.Enabled = true
	s.Clips.Format = "auto"
	s.Clips.Before.Duration = 5 * time.Second
	s.Clips.After.Duration = 5 * time.Second
	s.Clips.Max.Duration = time.Minute
	s.Clips.Memory.Bytes = 32 << 20
	s.Recording.Budget.Bytes = 2 << 30
	s.Recording.Rate.Bytes = 2 << 20
	s.Privacy.Button, s.Privacy.Schedule = true, []daynight.Span{}
	s.Live.Every.Duration = 10 * time.Second
	s.Live.View = 30
	s.Pairing.Lens, s.Pairing.WiFi = true, []string{}
	s.Uplink.Budget.Bytes = 256 << 20
	s.Uplink.Status.Duration = 5 * time.Minute
	s.Model = naming.Defaults()
	s.Identity.From = enrol.FromPairing
	s.Update = defaultUpdate()
	return s
}

// LoadSettings reads the file at path over Defaults. Its error names file,
// line, column, key, and what was expected there. Of a file that says that it is of
// a newer format, what is new is passed over: see SettingsFormat.
func LoadSettings(path string) (Settings, error) {
	data, err := toml.ReadFile(path)
	if err != nil {
		return Settings{}, err
	}
	return readSettings(path, data, SettingsFormat, since)
}

// settingError is a value that has the right type and no sense.
type settingError struct{ key, expected string }

func (e *settingError) Error() string { return e.key + ": " + e.expected }

// Validate checks what types cannot: ranges, and values that exclude each other.
func (s Settings) Validate() error {
	for _, rule := range []struct {
		ok            bool
		key, expected string
	}{
		{filepath.IsAbs(s.State), "state", fmt.Sprintf("expected an absolute directory, found %q", s.State)},
		{oneOf(s.Log, "debug", "info", "warn", "error"), "log", fmt.Sprintf("expected debug, info, warn or error, found %q", s.Log)},
		{(s.Camera.Width == 0) == (s.Camera.Height == 0), "camera.width", "expected width and height together, or neither"},
		{within(float64(s.Camera.Width), 0, 7680), "camera.width", fmt.Sprintf("expected 0 (the camera's best) to 7680 pixels, found %d", s.Camera.Width)},
		{within(float64(s.Camera.Height), 0, 4320), "camera.height", fmt.Sprintf("expected 0 (the camera's best) to 4320 pixels, found %d", s.Camera.Height)},
		{pixels[s.Camera.Format] != 0 || s.Camera.Format == "auto", "camera.format", fmt.Sprintf("expected auto, mjpeg, h264, h265, nv12, yuyv or grey, found %q", s.Camera.Format)},
		{len(s.Privacy.Masks) == 0 || encode.CodecOf(pixels[s.Camera.Format]) == 0, "camera.format", fmt.Sprintf("expected another than %s, which privacy masks cannot be applied to", s.Camera.Format)},
		{within(s.Camera.Rate, 0, 240), "camera.rate", fmt.Sprintf("expected 0 (the camera's own) to 240 frames a second, found %g", s.Camera.Rate)},
		{within(float64(s.Motion.Sensitivity), 1, 10), "motion.sensitivity", fmt.Sprintf("expected 1 (only the obvious) to 10 (everything), found %d", s.Motion.Sensitivity)},
		{within(s.Motion.Rate, 1, 60), "motion.rate", fmt.Sprintf("expected 1 to 60 analysed frames a second, found %g", s.Motion.Rate)},
		{s.Live.Every.Duration == 0 || within(s.Live.Every.Seconds(), 0.1, 86400), "live.every", fmt.Sprintf(`expected "0s" (never) or "100ms" to "24h", found %q`, s.Live.Every)},
		{s.Live.View == 0 || within(s.Live.View, 0.1, 60), "live.view", fmt.Sprintf("expected 0 (never) or 0.1 to 60 frames a second, found %g", s.Live.View)},
		{oneOf(s.Clips.Format, "auto", "h264", "mjpeg"), "clips.format", fmt.Sprintf("expected auto, h264 or mjpeg, found %q", s.Clips.Format)},
		{within(s.Clips.Before.Seconds(), 0, 60), "clips.before", fmt.Sprintf(`expected "0s" to "1m", found %q`, s.Clips.Before)},
		{within(s.Clips.After.Seconds(), 0, 60), "clips.after", fmt.Sprintf(`expected "0s" to "1m", found %q`, s.Clips.After)},
		{within(s.Clips.Max.Seconds(), s.Clips.Before.Seconds()+1, 3600), "clips.max", fmt.Sprintf(`expected a second more than clips.before, to "1h", found %q`, s.Clips.Max)},
		{within(float64(s.Clips.Memory.Bytes), 1<<20, 1<<30), "clips.memory", fmt.Sprintf(`expected "1 MiB" to "1 GiB", found %q`, s.Clips.Memory)},
		{s.Recording.Directory == "" || filepath.IsAbs(s.Recording.Directory), "recording.directory", fmt.Sprintf("expected an absolute directory, or nothing, found %q", s.Recording.Directory)},
		{within(float64(s.Recording.Budget.Bytes), uplink.MinRecording, 1<<42), "recording.budget", fmt.Sprintf(`expected "64 MiB" to "4 TiB", found %q`, s.Recording.Budget)},
		{within(float64(s.Recording.Rate.Bytes), 64<<10, 1<<30), "recording.rate", fmt.Sprintf(`expected "64 KiB" to "1 GiB" a second, found %q`, s.Recording.Rate)},
		{len(s.Pairing.WiFi) == 0 || filepath.IsAbs(s.Pairing.WiFi[0]), "pairing.wifi", "expected a command by its absolute path, with arguments of its own if it needs any"},
		{within(float64(s.Uplink.Budget.Bytes), 1<<20, 1<<40), "uplink.budget", fmt.Sprintf(`expected "1 MiB" to "1 TiB", found %q`, s.Uplink.Budget)},
		{within(s.Uplink.Status.Seconds(), 1, 86400), "uplink.status", fmt.Sprintf(`expected "1s" to "24h", found %q`, s.Uplink.Status)},
		{s.Watchdog.Device == "" || filepath.IsAbs(s.Watchdog.Device), "watchdog.device", fmt.Sprintf("expected a device such as /dev/watchdog, or nothing, found %q", s.Watchdog.Device)},
		{within(s.Uplink.Spread.Seconds(), 0, uplink.MaxSpread.Seconds()), "uplink.spread", fmt.Sprintf(`expected "0s" to "1h", found %q`, s.Uplink.Spread)},
		{s.Uplink.Broker == "" || brokerURLs(s.Uplink.Broker), "uplink.broker", fmt.Sprintf(`expected mqtts://HOST[:PORT], several with commas between them, or nothing (the address from pairing), found %q`, s.Uplink.Broker)},
		{s.Metrics.Listen == "" || local.Loopback(s.Metrics.Listen) == nil, "metrics.listen", fmt.Sprint(local.Loopback(s.Metrics.Listen))},
	} {
		if !rule.ok {
			return &settingError{rule.key, rule.expected}
		}
	}
	if key, expected := s.Update.Validate(); key != "" {
		return &settingError{key, expected}
	}
	if key, expected := s.Identity.Validate(); key != "" {
		return &settingError{key, expected}
	}
	if key, expected := s.Model.Validate(); key != "" {
		return &settingError{key, expected}
	}
	if err := s.Camera.CameraSettings.Validate(); err != nil {
		return &settingError{"camera.power_line", err.Error()}
	}
	if err := s.Light.Validate(); err != nil {
		return &settingError{"light", err.Error()}
	}
	if err := privacy.ValidateSchedule(s.Privacy.Schedule); err != nil {
		return &settingError{"privacy.schedule", err.Error()}
	}
	_, err := s.Detector()
	return err
}

// pixels are the words for what a device is asked to deliver.
var pixels = map[string]capture.Pixel{
	"mjpeg": capture.MJPEG, "h264": capture.H264, "h265": capture.H265, "nv12": capture.NV12, "yuyv": capture.YUYV, "grey": capture.Grey,
}

// source returns where frames come from.
func (s Settings) source() Source {
	c := s.Camera
	return Source{Name: c.Source, Width: c.Width, Height: c.Height, Rate: c.Rate, Pixel: pixels[c.Format], Once: c.Once}
}

func within(x, low, high float64) bool { return x >= low && x <= high }

func oneOf(s string, list ...string) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

func brokerURLs(s string) bool {
	for one := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Scheme != "mqtts" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
			return false
		}
	}
	return true
}
