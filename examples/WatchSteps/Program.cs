// The steps of a run, one picture after the other, as a sampler written in C# would show them: the first step pays for memory and
// compilation, the following ones allocate nothing in decode and encode.
//
//     dotnet run --project examples/WatchSteps -c Release -- examples/latents/Flux_run8.safetensors out/steps

using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;
using LatentBridge.Previews;

if (args is not [string source, string folder])
{
    Console.Error.WriteLine("usage: WatchSteps RUN FOLDER");
    return 2;
}

Directory.CreateDirectory(folder);
LoadedLatent run = LatentFile.Load(source);
using ILatentDecoder decoder = LatentDecoders.For(run.Format, LatentDecoders.WeightsOfThisMachine())[0].Load();
using PreviewRenderer renderer = new(run.Format);
byte[] png = new byte[PngEncoder.MaximumLength(512, 512, 3)];

// Each row of the file is the denoised estimate of one step; a sampler would have it in memory.
LatentShape steps = run.Shape;
int stepLength = run.Bytes.Length / steps.Batch;
for (int step = 0; step < steps.Batch; step++)
{
    Latent denoised = new(run.Bytes.AsSpan(step * stepLength, stepLength), run.ElementType, steps with { Batch = 1 }, run.Space);
    PreviewOptions options = new() { Size = 512 };

    long before = GC.GetAllocatedBytesForCurrentThread();
    renderer.Stage(denoised, options);
    PreviewResult result = renderer.Render(decoder, options, png, CancellationToken.None);
    long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

    string path = Path.Combine(folder, $"step-{step}.png");
    File.WriteAllBytes(path, png.AsSpan(0, result.ByteLength));
    Console.WriteLine(
        $"step {step + 1}/{steps.Batch}: {path}, {result.DecodeMilliseconds:0.0} ms decode, {result.EncodeMilliseconds:0.0} ms encode, {allocated} bytes allocated");
}

return 0;
