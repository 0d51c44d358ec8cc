import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type EncryptionSection, NONCE_BYTES, SALT_BYTES, TAG_BYTES } from './encryption-section.ts'
import { unreadable } from './unreadable.ts'

/** A named secret of 32 bytes. */
export interface RingKey {
  readonly id: string
  readonly secret: KeyObject
}

/** The part of an encryption section that is known before the tag. */
export type EncryptionStart = Omit<EncryptionSection, 'tag'>

const ALGORITHM = 'aes-256-gcm'
const SUBKEY_BYTES = 32
/** The HKDF info: other uses of the same secret derive other keys. */
const SUBKEY_PURPOSE = 'cachewright payload AES-256-GCM 1'
/** With this bound a nonce repeats with a probability of 2^-41 per salt; NIST SP 800-38D §8.3 allows 2^32 uses. */
const USES_OF_A_SUBKEY = 2 ** 28
/** A reader keeps the derived keys of this many salts; each writing process has one, and another after a renewal. */
const REMEMBERED_SUBKEYS = 1_000

/**
 * The keys of encryption. The first key encrypts; all keys decrypt.
 *
 * AES-256-GCM breaks if a nonce is used twice under one key. With random nonces of 12 bytes, a whole fleet may
 * therefore make no more than 2^32 encryptions with one key (NIST SP 800-38D §8.3), which a busy cache does in minutes.
 * So a configured secret encrypts nothing itself. Each ring draws a salt, derives a subkey from the secret by
 * HKDF-SHA256 (RFC 5869), and draws another salt long before that bound. The salt is stored beside the nonce, and
 * readers derive the same subkey, once per salt.
 */
export class KeyRing {
  /** The id of the key that encrypts. */
  readonly keyId: string
  readonly #secrets: ReadonlyMap<string, KeyObject>
  readonly #usesOfASubkey: number
  readonly #subkeys = new LRUCache<string, KeyObject>({ max: REMEMBERED_SUBKEYS })
  #own: { readonly salt: Buffer; readonly subkey: KeyObject } | undefined
  #usesLeft = 0

  /**
   * @param keys at least one; their ids are distinct
   * @param usesOfASubkey the number of encryptions after which another salt is drawn
   */
  constructor(keys: readonly [RingKey, ...RingKey[]], usesOfASubkey: number = USES_OF_A_SUBKEY) {
    this.keyId = keys[0].id
    this.#secrets = new Map(keys.map(({ id, secret }) => [id, secret]))
    this.#usesOfASubkey = usesOfASubkey
  }

  /**
   * Encrypts a payload with a nonce of its own.
   * @param bind receives the start of the encryption section, and returns the additional data that the tag covers
   */
  encrypt(
    payload: Uint8Array,
    bind: (start: EncryptionStart) => Uint8Array,
  ): { readonly ciphertext: Buffer; readonly tag: Buffer } {
    const { salt, subkey } = this.#ownSubkey()
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, subkey, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(bind({ keyId: this.keyId, salt, nonce }))
    const ciphertext = cipher.update(payload)
    cipher.final()
    return { ciphertext, tag: cipher.getAuthTag() }
  }

  /**
   * The decrypted payload, after its tag has been verified.
   * @param bound the additional data that {@link encrypt} covered
   * @throws CacheError `CACHE_UNDECODABLE` if the key is unknown or the tag does not match
   */
  decrypt({ keyId, nonce, salt, tag }: EncryptionSection, bound: Uint8Array, ciphertext: Uint8Array): Buffer {
    const secret = this.#secrets.get(keyId)
    if (secret === undefined) throw unreadable(`the key id '${keyId}' is not in the key ring`)
    // All salts have the same length, so no other id and salt give the same name.
    const name = keyId + salt.toString('latin1')
    const remembered = this.#subkeys.get(name)
    const subkey = remembered ?? derive(secret, salt)
    const decipher = createDecipheriv(ALGORITHM, subkey, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(bound)
    decipher.setAuthTag(tag)
    const payload = decipher.update(ciphertext)
    try {
      decipher.final()
    } catch {
      throw unreadable(
        `the tag does not match: altered, moved from another key, or the secret of '${keyId}' differs`,
      )
    }
    // Kept only after the tag was verified, so that forged salts evict no real ones.
    if (remembered === undefined) this.#subkeys.set(name, subkey)
    return payload
  }

  #ownSubkey(): { readonly salt: Buffer; readonly subkey: KeyObject } {
    if (this.#own === undefined || this.#usesLeft === 0) {
      const salt = randomBytes(SALT_BYTES)
      this.#own = { salt, subkey: derive(this.#secrets.get(this.keyId) as KeyObject, salt) }
      this.#usesLeft = this.#usesOfASubkey
    }
    this.#usesLeft--
    return this.#own
  }
}

function derive(secret: KeyObject, salt: Buffer): KeyObject {
  const subkey = Buffer.from(hkdfSync('sha256', secret, salt, SUBKEY_PURPOSE, SUBKEY_BYTES))
  return createSecretKey(subkey)
}
