// Package wire is what the lab's host and guest say to one another over a
// virtio serial port: a stream of JSON values in each direction.
//
// What this package does not do: it opens no port and runs no command.
package wire

// PortName is the name under which the guest finds the port.
const PortName = "sealcam.lab"

// ConfigPath is where the guest's init finds its Config.
const ConfigPath = "/lab/config.json"

// Config tells the guest's init what to do before it listens.
type Config struct {
	Modules []Module // loaded in this order
	Net     bool     // bring eth0 up
	Disk    bool     // mount /dev/vda at /data
}

// Module is a kernel module: a file in the guest, and its parameters.
type Module struct {
	Path   string
	Params string // as after modprobe NAME, for example "n_devs=1"
}

// The operations of a Request.
const (
	OpRun    = "run"    // start Args; events follow until Done
	OpSignal = "signal" // send Signal to the command of the same ID
	OpOff    = "off"    // sync, unmount and power off
)

// Request is one thing that the host asks.
type Request struct {
	ID     uint64 // chosen by the host, not 0
	Op     string
	Args   []string
	Stdin  []byte
	Signal int
}

// Event is one thing that the guest tells. The first one has ID 0 and says
// that the guest is up.
type Event struct {
	ID     uint64
	Stdout []byte
	Stderr []byte
	Done   bool   // the command has ended; its last event
	Exit   int    // exit code, 128 + signal when killed by one
	Err    string // why a command could not be started, or what failed in init
}
