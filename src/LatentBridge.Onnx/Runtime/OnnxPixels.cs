using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Latents;
using LatentBridge.Onnx.Model;
using LatentBridge.Simd;

namespace LatentBridge.Onnx.Runtime;

/// <summary>Latents as a model wants them, and pictures as it makes them. The usual case, F32 planes, runs in vectors.</summary>
static unsafe class OnnxPixels
{
    /// <summary>Pixels between two looks at the cancellation.</summary>
    const int BlockLength = 1 << 16;

    /// <summary>Writes a latent into a model's input: each channel times its scale plus its shift.</summary>
    public static void ReadLatent(in LatentPlanes latent, OnnxModel model, ReadOnlySpan<float> scale, ReadOnlySpan<float> shift, NativeBuffer input)
    {
        int cells = latent.PlaneLength, channels = latent.Channels;
        int channelStep = model.IsInputChannelsLast ? 1 : cells, cellStep = model.IsInputChannelsLast ? channels : 1;
        for (int channel = 0; channel < channels; channel++)
        {
            ReadOnlySpan<float> plane = latent.Plane(channel);
            (float factor, float offset) = (scale[channel], shift[channel]);
            if (model.Input.ElementType == OnnxFile.F16)
            {
                Half* half = (Half*)input.Pointer + (channel * channelStep);
                for (int cell = 0; cell < cells; cell++)
                {
                    half[cell * cellStep] = (Half)((plane[cell] * factor) + offset);
                }

                continue;
            }

            float* value = input.Pointer + (channel * channelStep);
            for (int cell = 0; cell < cells; cell++)
            {
                value[cell * cellStep] = (plane[cell] * factor) + offset;
            }
        }
    }

    /// <summary>Writes a model's output as RGB24: its range becomes 0..255, rounded half up.</summary>
    public static void WritePicture(NativeBuffer output, OnnxModel model, PictureRange range, Span<byte> rgb, CancellationToken cancellation)
    {
        int pixels = rgb.Length / 3;
        if (model.Output.ElementType == OnnxFile.U8)
        {
            ReadOnlySpan<byte> bytes = new(output.Pointer, rgb.Length);
            if (model.IsOutputChannelsLast)
            {
                bytes.CopyTo(rgb);
                return;
            }

            for (int i = 0; i < pixels; i++)
            {
                (rgb[3 * i], rgb[(3 * i) + 1], rgb[(3 * i) + 2]) = (bytes[i], bytes[i + pixels], bytes[i + (2 * pixels)]);
            }

            return;
        }

        ReadOnlySpan<float> values = Values(output, model);
        RangeOperator colours = new(255 / (range.White - range.Black), range.Black);
        if (!model.IsOutputChannelsLast)
        {
            for (int start = 0; start < pixels; start += BlockLength)
            {
                cancellation.ThrowIfCancellationRequested();
                PixelKernel.Decode(colours, in values[start], [0, pixels, 2 * pixels], Math.Min(BlockLength, pixels - start), rgb[(3 * start)..], Kernel.Width);
            }

            return;
        }

        for (int i = 0; i < rgb.Length; i++)
        {
            float value = (values[i] * colours.Scale) + colours.Offset;
            rgb[i] = value > 0 ? (byte)Math.Min(value, 255) : (byte)0;
        }
    }

    /// <summary>A model's output as F32; halves are widened, into the same memory's end.</summary>
    public static ReadOnlySpan<float> Values(NativeBuffer output, OnnxModel model)
    {
        Span<float> values = new(output.Pointer, (int)output.Length);
        if (model.Output.ElementType == OnnxFile.F16)
        {
            // From the end: a half is read before the float that covers it is written.
            ReadOnlySpan<Half> halves = MemoryMarshal.Cast<float, Half>(values);
            for (int i = values.Length - 1; i >= 0; i--)
            {
                values[i] = (float)halves[i];
            }
        }

        return values;
    }

    /// <summary>value x scale + offset, so that black is 0.5 and white 255.5: dropping the fraction then rounds half up.</summary>
    readonly struct RangeOperator(float scale, float black) : IPixelOperator
    {
        public float Scale { get; } = scale;

        public float Offset { get; } = 0.5f - (black * scale);

        public void Invoke<TLanes, TVector>(ref readonly float cells, ReadOnlySpan<int> inputs, out TVector red, out TVector green, out TVector blue)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
        {
            TVector scales = TLanes.Broadcast(Scale), offsets = TLanes.Broadcast(Offset);
            ref float first = ref System.Runtime.CompilerServices.Unsafe.AsRef(in cells);
            red = TLanes.MultiplyAdd(TLanes.Load(ref first), scales, offsets);
            green = TLanes.MultiplyAdd(TLanes.Load(ref System.Runtime.CompilerServices.Unsafe.Add(ref first, inputs[1])), scales, offsets);
            blue = TLanes.MultiplyAdd(TLanes.Load(ref System.Runtime.CompilerServices.Unsafe.Add(ref first, inputs[2])), scales, offsets);
        }
    }
}
