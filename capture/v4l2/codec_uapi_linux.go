package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The part of <linux/videodev2.h> that memory-to-memory devices are driven with;
// uapi_linux_test.go holds these layouts, too, to those of the C headers.

// maxPieces is how many pieces of memory a frame may lie in (VIDEO_MAX_PLANES).
const maxPieces = 8

// formatDesc is struct v4l2_fmtdesc.
type formatDesc struct {
	Index, Type, Flags uint32
	Description        [32]byte
	PixelFormat        uint32
	_                  [4]uint32
}

// pieceFormat is struct v4l2_plane_pix_format.
type pieceFormat struct {
	SizeImage, BytesPerLine uint32
	_                       [6]uint16
}

// piecesFormat is struct v4l2_format with the multi-planar member (struct
// v4l2_pix_format_mplane) of its union.
type piecesFormat struct {
	Type                                          uint32
	_                                             [0]uintptr
	Width, Height, PixelFormat, Field, Colorspace uint32
	Pieces                                        [maxPieces]pieceFormat
	Count, Flags, YcbcrEnc, Quantization          uint8
	XferFunc                                      uint8
	_                                             [7 + 8]byte
}

// piece is struct v4l2_plane.
type piece struct {
	BytesUsed, Length uint32
	Offset            uintptr // union: where it can be mapped
	DataOffset        uint32
	_                 [11]uint32
}

// piecesBuffer is struct v4l2_buffer of a multi-planar queue.
type piecesBuffer struct {
	Index, Type, BytesUsed, Flags, Field uint32
	Timestamp                            unix.Timeval
	_                                    [4]uint32 // struct v4l2_timecode
	Sequence, Memory                     uint32
	Pieces                               *[maxPieces]piece
	Length                               uint32 // pieces that there are
	_                                    uint32
	_                                    uint32
}

// requestBuffers is struct v4l2_requestbuffers.
type requestBuffers struct{ Count, Type, Memory, Capabilities, Flags uint32 }

// streamParm is struct v4l2_streamparm with the output member of its union.
type streamParm struct {
	Type, Capability, OutputMode uint32
	Numerator, Denominator       uint32 // seconds per frame
	_                            [200 - 16]byte
}

// selection is struct v4l2_selection.
type selection struct {
	Type, Target, Flags uint32
	Left, Top           int32
	Width, Height       uint32
	_                   [9]uint32
}

// encoderCmd is struct v4l2_encoder_cmd.
type encoderCmd struct {
	Cmd, Flags uint32
	_          [8]uint32
}

// control is struct v4l2_control.
type control struct {
	ID    uint32
	Value int32
}

const (
	bufTypeOutput        = 2  // V4L2_BUF_TYPE_VIDEO_OUTPUT
	bufTypeCapturePieces = 9  // V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
	bufTypeOutputPieces  = 10 // V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE

	capM2MSingle = 0x00008000 // V4L2_CAP_VIDEO_M2M
	capM2MPieces = 0x00004000 // V4L2_CAP_VIDEO_M2M_MPLANE

	fieldNone      = 1          // V4L2_FIELD_NONE
	flagCompressed = 0x0001     // V4L2_FMT_FLAG_COMPRESSED
	flagLast       = 0x00100000 // V4L2_BUF_FLAG_LAST
	cmdStop        = 1          // V4L2_ENC_CMD_STOP
	selectCrop     = 0          // V4L2_SEL_TGT_CROP
	pixPrivMagic   = 0xfeedcafe // V4L2_PIX_FMT_PRIV_MAGIC: the fields behind priv count

	ctrlCodec        = 0x00990900 // V4L2_CID_CODEC_BASE
	ctrlBFrames      = ctrlCodec + 202
	ctrlGOPSize      = ctrlCodec + 203
	ctrlBitrate      = ctrlCodec + 207
	ctrlRateControl  = ctrlCodec + 215
	ctrlHeaderMode   = ctrlCodec + 216
	ctrlRepeatHeader = ctrlCodec + 226
	ctrlForceKey     = ctrlCodec + 229
	ctrlH264Period   = ctrlCodec + 358
	ctrlPrependSPS   = ctrlCodec + 644

	headerJoined = 1 // V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME
)

const ioW = 1

func enumFormatRequest() uintptr { return vidioc(ioWR, 2, unsafe.Sizeof(formatDesc{})) }
func setFormatRequest() uintptr  { return vidioc(ioWR, 5, unsafe.Sizeof(pixFormat{})) }
func buffersRequest() uintptr    { return vidioc(ioWR, 8, unsafe.Sizeof(requestBuffers{})) }
func queryBufRequest() uintptr   { return vidioc(ioWR, 9, unsafe.Sizeof(buffer{})) }
func queueRequest() uintptr      { return vidioc(ioWR, 15, unsafe.Sizeof(buffer{})) }
func streamOnRequest() uintptr   { return vidioc(ioW, 18, 4) }
func streamOffRequest() uintptr  { return vidioc(ioW, 19, 4) }
func setParmRequest() uintptr    { return vidioc(ioWR, 22, unsafe.Sizeof(streamParm{})) }
func setCtrlRequest() uintptr    { return vidioc(ioWR, 28, unsafe.Sizeof(control{})) }
func encoderCmdRequest() uintptr { return vidioc(ioWR, 77, unsafe.Sizeof(encoderCmd{})) }
func selectionRequest() uintptr  { return vidioc(ioWR, 95, unsafe.Sizeof(selection{})) }
