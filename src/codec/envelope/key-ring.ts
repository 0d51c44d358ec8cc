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

/** What an encryption begins with, before there is a tag. */
export type EncryptionStart = Omit<EncryptionSection, 'tag'>

const ALGORITHM = 'aes-256-gcm'
const SUBKEY_BYTES = 32
/** What the derived keys are for: no other use of the same secret arrives at them. */
const SUBKEY_PURPOSE = 'cachewright payload AES-256-GCM 1'
/** Leaves a repeated nonce a chance of 2^-41 for each salt; NIST SP 800-38D §8.3 allows 2^32 uses. */
const USES_OF_A_SUBKEY = 2 ** 28
/** Of as many writers (processes, and their renewals) a reader remembers the derived keys. */
const REMEMBERED_SUBKEYS = 1_000

/**
 * The keys that values are encrypted with: the first encrypts, all decrypt.
 *
 * AES-256-GCM breaks where a nonce is used twice under one key, and random nonces of 12 bytes bound the encryptions
 * that a whole fleet may make with one key to 2^32 (NIST SP 800-38D §8.3): minutes, for a busy cache. So a configured
 * secret encrypts nothing itself. Each ring draws a salt, derives a key of its own from it by HKDF-SHA256 (RFC 5869),
 * and draws another salt long before that bound. The salt is written beside the nonce, and readers derive the same
 * key, once for each salt they meet.
 */
export class KeyRing {
  /** Names the key that encrypts. */
  readonly keyId: string
  readonly #secrets: ReadonlyMap<string, KeyObject>
  readonly #usesOfASubkey: number
  readonly #subkeys = new LRUCache<string, KeyObject>({ max: REMEMBERED_SUBKEYS })
  #own: { readonly salt: Buffer; readonly subkey: KeyObject } | undefined
  #usesLeft = 0

  /**
   * @param keys at least one; ids are distinct
   * @param usesOfASubkey after how many encryptions another salt is drawn
   */
  constructor(keys: readonly [RingKey, ...RingKey[]], usesOfASubkey: number = USES_OF_A_SUBKEY) {
    this.keyId = keys[0].id
    this.#secrets = new Map(keys.map(({ id, secret }) => [id, secret]))
    this.#usesOfASubkey = usesOfASubkey
  }

  /**
   * Encrypts once, under a nonce of its own.
   * @param bind told what the encryption begins with; returns what else the tag is to cover
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
   * What was encrypted. Nothing of it is returned before its tag has been found right.
   * @param bound what {@link encrypt} was told to cover
   * @throws CacheError `CACHE_UNDECODABLE` where the key is unknown or the tag does not match
   */
  decrypt({ keyId, nonce, salt, tag }: EncryptionSection, bound: Uint8Array, ciphertext: Uint8Array): Buffer {
    const secret = this.#secrets.get(keyId)
    if (secret === undefined) throw unreadable(`the key id '${keyId}' is not in the key ring`)
    // Salts are of one length, so no other id and salt have the same name.
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
    // Forged salts push no real ones out.
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
