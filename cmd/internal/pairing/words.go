package pairing

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"

	"github.com/sealcam/sealcam/uplink/seal"
)

const wordsContext = "sealcam pairing words 1\x00"

// Words returns the two words that both sides can make once the household has
// drawn its nonce: equal words mean one exchange between these two. The nonce
// comes after the camera has named itself, so nobody can look for a key that
// gives the same words.
func Words(secret []byte, camera seal.CameraID, nonce []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(wordsContext))
	m.Write([]byte(camera))
	m.Write(nonce)
	sum := m.Sum(nil)
	list := strings.Fields(wordList)
	return list[sum[0]] + " " + list[sum[1]]
}

// wordList has 256 words that sound apart and can be said over a telephone.
const wordList = `
acid acorn actor album alley amber anchor angel ankle apple apron arena arrow atlas attic autumn
bacon badge bagel baker bamboo banana barn basket beach bean beaver bell bench bicycle bird biscuit
blanket boat bonus book bottle branch bread bridge brush bubble bucket buffalo bundle button cabin cactus
camel candle canoe canvas carpet carrot castle cave cedar cello chain chalk cherry chess chimney cinema
circle citrus clay cliff clock cloud clover coast cobra coffee comet copper coral cotton cradle crane
cricket crown cube curtain daisy dance daughter dawn deer desert diamond dinner dolphin donkey dragon drum
eagle earth echo elbow elm engine evening fabric falcon farmer feather fern fiddle finger fire flag
flute forest fossil fountain fox frog galaxy garden garlic ginger giraffe glacier glove goat gold grape
guitar hammer harbor hat hawk hazel helmet hero hill honey horse hotel iceberg igloo ink island
ivory jacket jaguar jelly jewel jigsaw jungle kettle kingdom kite kitten koala ladder lagoon lake lantern
lemon leopard letter lily lion lizard llama lobster lotus magnet mango maple marble market meadow melon
mirror monkey moon mosaic motor mountain museum mushroom napkin needle nest noodle north nutmeg oak oasis
ocean olive onion opera orbit orchid otter owl oyster paddle palace panda paper parrot peach peanut
pebble pencil pepper piano picnic pigeon pillow pilot pine planet plum pocket poem pony potato prince
puzzle python quartz quilt rabbit radio rainbow raven ribbon river robin rocket rose saddle sailor salad
sandal saturn school shell silver sketch sky snow sofa spider spoon squirrel star stone sugar sunset
`
