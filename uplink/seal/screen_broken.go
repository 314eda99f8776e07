//go:build sealcam_no_camera_check

package seal

// ofScreen is broken on purpose, FOR TESTS ONLY: sealcam drill must notice.
// Nothing that is released compiles with this tag (cmd/sealcamd and the opener
// for browsers refuse to).
func ofScreen(string, CameraID) bool { return true }
