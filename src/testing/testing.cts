// biome-ignore lint/suspicious/noTsIgnore: only some compilers report an error here
/** @ts-ignore the resolution `node16` does not know that an ES module may be required */
import door = require('./testing.ts')

export = door
