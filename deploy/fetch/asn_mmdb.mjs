// Turns the CSV files of `@ip-location-db/asn` into one MaxMind DB file.
//
// The package has the ranges of IPv4 and IPv6 apart and as text; the decoder wants one memory-mapped file that answers for both, with
// the field names of GeoLite2-ASN, so that a file bought from MaxMind can take its place. The format is small enough to write here
// (https://maxmind.github.io/MaxMind-DB/), which spares the build a second package manager. IPv4 lives under ::/96, as the format wants.
//
//     node asn_mmdb.mjs PACKAGE_DIR OUTPUT.mmdb

import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const LEAF = 0x8000_0000; // A record above this is a data offset, below it a node; 0 is "nothing known".
const NODES_LIMIT = 8_000_000; // 1.3 million are in use; 64 MB of memory.
const DATA_SEPARATOR_BYTES = 16;

/** The binary trie over 128 address bits: two records per node. */
class Trie {
  records = new Uint32Array(2 * NODES_LIMIT);
  count = 1;

  /** Every address that shares the first `bits` bits of `address` gets `value`; later calls win. */
  insert(address, bits, value) {
    let node = 0;
    for (let depth = 0; ; depth++) {
      const slot = 2 * node + ((address[depth >> 3] >> (7 - (depth & 7))) & 1);
      if (depth === bits - 1) {
        this.records[slot] = value;
        return;
      }
      const next = this.records[slot];
      if (next === 0 || next >= LEAF) {
        if (this.count === NODES_LIMIT) throw new Error(`more than ${NODES_LIMIT} nodes`);
        this.records.fill(next, 2 * this.count, 2 * this.count + 2);
        this.records[slot] = this.count++;
      }
      node = this.records[slot];
    }
  }

  /** The search tree with 32-bit records. */
  toBuffer() {
    const buffer = Buffer.alloc(8 * this.count);
    for (let slot = 0; slot < 2 * this.count; slot++) {
      const record = this.records[slot];
      let value = record;
      if (record === 0) value = this.count;
      else if (record >= LEAF) value = this.count + DATA_SEPARATOR_BYTES + (record - LEAF);
      buffer.writeUInt32BE(value, 4 * slot);
    }
    return buffer;
  }
}

const TYPE = { pointer: 1, utf8: 2, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11 };

function control(type, size) {
  const sizeBits = size < 29 ? size : size < 285 ? 29 : 30;
  const head = type > 7 ? [sizeBits, type - 7] : [(type << 5) | sizeBits];
  if (sizeBits === 29) head.push(size - 29);
  if (sizeBits === 30) head.push((size - 285) >> 8, (size - 285) & 0xff);
  return Buffer.from(head);
}

function text(value) {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([control(TYPE.utf8, bytes.length), bytes]);
}

function unsigned(type, value) {
  const bytes = [];
  for (let rest = BigInt(value); rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return Buffer.concat([control(type, bytes.length), Buffer.from(bytes)]);
}

/** A map from already encoded keys to already encoded values. */
function map(entries) {
  return Buffer.concat([control(TYPE.map, entries.length), ...entries.flat()]);
}

/** The data section: the two key names once, then one map per autonomous system. */
class Data {
  offsets = new Map();

  constructor() {
    const keys = ["autonomous_system_number", "autonomous_system_organization"].map(text);
    this.chunks = [...keys];
    this.length = keys[0].length + keys[1].length;
    this.keys = [0, keys[0].length].map((offset) => Buffer.from([TYPE.pointer << 5, offset]));
  }

  offset(number, organization) {
    const key = `${number} ${organization}`;
    let offset = this.offsets.get(key);
    if (offset === undefined) {
      const chunk = map([
        [this.keys[0], unsigned(TYPE.uint32, number)],
        [this.keys[1], text(organization)],
      ]);
      offset = this.length;
      this.offsets.set(key, offset);
      this.chunks.push(chunk);
      this.length += chunk.length;
    }
    return offset;
  }
}

/** One line of `first,last,number,organization`; the organization may be quoted. */
function parseLine(line) {
  const match = /^(\d+),(\d+),(\d+),(?:"((?:[^"]|"")*)"|(.*))$/.exec(line);
  if (!match) throw new Error(`unreadable line: ${line}`);
  const organization = match[4] === undefined ? match[5] : match[4].replaceAll('""', '"');
  return { first: BigInt(match[1]), last: BigInt(match[2]), number: Number(match[3]), organization };
}

/** The fewest prefixes that cover first..last, as [address, bits left free]. */
function* prefixes(first, last, width) {
  while (first <= last) {
    let free = 0n;
    while (free < width && (first & ((2n << free) - 1n)) === 0n && first + (2n << free) - 1n <= last) free++;
    yield [first, Number(free)];
    first += 1n << free;
  }
}

async function insertFile(path, width, trie, data) {
  const address = Buffer.alloc(16);
  let ranges = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line === "") continue;
    const { first, last, number, organization } = parseLine(line);
    const value = LEAF + data.offset(number, organization);
    for (const [start, free] of prefixes(first, last, width)) {
      address.writeBigUInt64BE(start >> 64n, 0);
      address.writeBigUInt64BE(start & 0xffff_ffff_ffff_ffffn, 8);
      trie.insert(address, 128 - free, value);
    }
    ranges++;
  }
  if (ranges === 0) throw new Error(`${path} is empty`);
  return ranges;
}

/** When the package was made, from its version (`2.3.YYYYMMDDHH`), so that the same input gives the same file. */
function buildEpoch(version) {
  const match = /(\d{4})(\d{2})(\d{2})(\d{2})$/.exec(version);
  return match ? Date.UTC(match[1], match[2] - 1, match[3], match[4]) / 1000 : 0;
}

function metadata(nodeCount, version) {
  return Buffer.concat([
    Buffer.from("abcdef4d61784d696e642e636f6d", "hex"),
    map([
      [text("binary_format_major_version"), unsigned(TYPE.uint16, 2)],
      [text("binary_format_minor_version"), unsigned(TYPE.uint16, 0)],
      [text("build_epoch"), unsigned(TYPE.uint64, buildEpoch(version))],
      [text("database_type"), text("RouteViews-DBIP-ASN")],
      [text("description"), map([[text("en"), text(`@ip-location-db/asn ${version}; RouteViews and DB-IP, CC BY 4.0`)]])],
      [text("ip_version"), unsigned(TYPE.uint16, 6)],
      [text("languages"), control(TYPE.array, 0)],
      [text("node_count"), unsigned(TYPE.uint32, nodeCount)],
      [text("record_size"), unsigned(TYPE.uint16, 32)],
    ]),
  ]);
}

const [packageDir, output] = process.argv.slice(2);
if (!output) throw new Error("usage: node asn_mmdb.mjs PACKAGE_DIR OUTPUT.mmdb");
const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8"));
const trie = new Trie();
const data = new Data();
const v4 = await insertFile(join(packageDir, "asn-ipv4-num.csv"), 32n, trie, data);
const v6 = await insertFile(join(packageDir, "asn-ipv6-num.csv"), 128n, trie, data);
writeFileSync(
  output,
  Buffer.concat([trie.toBuffer(), Buffer.alloc(DATA_SEPARATOR_BYTES), ...data.chunks, metadata(trie.count, version)]),
);
console.error(`${output}: ${v4} IPv4 and ${v6} IPv6 ranges, ${data.offsets.size} systems, ${trie.count} nodes`);
