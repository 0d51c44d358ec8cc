// Writes the Lua scripts into a TypeScript module, so that bundlers carry them: `npm run embed:lua`.
// With `--check` it only tells whether that module is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = new URL('../src/redis/scripts/lua/', import.meta.url)
const target = new URL('../src/redis/scripts/embedded-scripts.ts', import.meta.url)

const constants = readdirSync(folder)
  .filter((name) => name.endsWith('.lua'))
  .sort()
  .map((name) => {
    const lines = readFileSync(new URL(name, folder), 'utf8').split('\n')
    const code = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('--'))
    const constant = name.replace('.lua', '').replaceAll('-', '_').toUpperCase()
    const literal = code.join('\n').replaceAll('\\', '\\\\').replaceAll('`', '\\`')
    return `/** lua/${name} */\nexport const ${constant}: string = \`${literal}\`\n`
  })
const source = `// Made by \`npm run embed:lua\` from the files in lua/, which hold the comments.\n\n${constants.join('\n')}`

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== source) {
    console.error('src/redis/scripts/embedded-scripts.ts is out of date: npm run embed:lua')
    process.exit(1)
  }
} else {
  writeFileSync(target, source)
}
