// onnx_network.py for a machine that has ONNX Runtime as npm package (onnxruntime-node, found through NODE_PATH) rather than for Python.
'use strict';

const fs = require('fs');
const readline = require('readline');

let runtime;
try {
  runtime = require('onnxruntime-node');
} catch {
  process.exit(3);
}

async function main([model, source, channels, height, width, threads, output]) {
  const session = await runtime.InferenceSession.create(model, { intraOpNumThreads: Number(threads), executionProviders: ['cpu'] });
  const bytes = fs.readFileSync(source);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const feeds = { [session.inputNames[0]]: new runtime.Tensor('float32', values, [1, Number(channels), Number(height), Number(width)]) };
  const result = (await session.run(feeds))[session.outputNames[0]].data;
  fs.writeFileSync(output, Buffer.from(result.buffer, result.byteOffset, result.byteLength));
  const version = require('onnxruntime-node/package.json').version;
  console.log(JSON.stringify({ name: `ONNX Runtime ${version}` }));
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const started = process.hrtime.bigint();
    await session.run(feeds);
    console.log(String(Number(process.hrtime.bigint() - started) / 1e6));
  }
}

main(process.argv.slice(2));
