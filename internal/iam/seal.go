package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
)

// errSeal is all that is said of a seal that does not open.
var errSeal = errors.New("it was not sealed here, or was changed")

// seal is AES-256-GCM under one key, for one purpose. What a sealed text belongs to is authenticated with it, so that
// no text can stand in for another.
type seal struct{ aead cipher.AEAD }

// sealFor derives the seal of a purpose from the key of the file.
func sealFor(key *Key, purpose string) (seal, error) {
	derived, err := hkdf.Key(sha256.New, key[:], nil, "thingwire/iam/"+purpose, len(key))
	if err != nil {
		return seal{}, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block) // 96 random bits: good for 2³² texts
	return seal{aead}, err
}

func (s seal) close(text []byte, belongsTo string) []byte {
	return s.aead.Seal(nil, nil, text, []byte(belongsTo)) //nolint:gosec // G407: this AEAD makes its nonces itself
}

func (s seal) open(sealed []byte, belongsTo string) ([]byte, error) {
	text, err := s.aead.Open(nil, nil, sealed, []byte(belongsTo))
	if err != nil {
		return nil, errSeal
	}
	return text, nil
}
