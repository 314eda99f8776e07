//go:build !sealcam_no_camera_check

package seal

// ofScreen reports whether a message of the camera issuer may be shown where
// the screen is about camera: the comparison that this whole package is for.
func ofScreen(issuer string, camera CameraID) bool { return issuer == string(camera) }
