// Run a TensorFlow.js graph model as it was published, on one image, and write tensors of the graph as raw float32.
//
//     npm install @tensorflow/tfjs@4.22.0        (in any folder; node finds it through NODE_PATH)
//     node tfjs_reference.js MODEL_FOLDER IMAGE HEIGHT WIDTH TENSOR,TENSOR,... OUTPUT_FOLDER
//
// IMAGE holds HEIGHT * WIDTH * 3 bytes. It is called by record_tfjs.py.
const fs = require("fs");
const tf = require("@tensorflow/tfjs");

async function main(folder, image, height, width, names, output) {
  const model = JSON.parse(fs.readFileSync(`${folder}/model.json`));
  const groups = model.weightsManifest;
  const bytes = Buffer.concat(groups.flatMap((g) => g.paths.map((path) => fs.readFileSync(`${folder}/${path}`))));
  const artifacts = {
    modelTopology: model.modelTopology,
    weightSpecs: groups.flatMap((g) => g.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  };
  const graph = await tf.loadGraphModel({ load: async () => artifacts });
  const input = tf.tensor4d(new Int32Array(fs.readFileSync(image)), [1, Number(height), Number(width), 3], "int32");
  const tensors = await graph.executeAsync({ [graph.inputs[0].name]: input }, names.split(","));
  for (const [i, tensor] of [tensors].flat().entries()) {
    const data = Float32Array.from(await tensor.data());
    fs.writeFileSync(`${output}/${i}.bin`, Buffer.from(data.buffer));
    fs.writeFileSync(`${output}/${i}.json`, JSON.stringify(tensor.shape));
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
