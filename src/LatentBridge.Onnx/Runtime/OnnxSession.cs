using LatentBridge.Onnx.Model;
using LatentBridge.Simd;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LatentBridge.Onnx.Runtime;

/// <summary>A loaded model on one execution provider, with an input and an output of one size bound to memory of ours.</summary>
sealed unsafe class OnnxSession : IDisposable
{
    readonly OnnxModel _model;
    readonly InferenceSession _session;
    readonly RunOptions _run = new();
    OrtIoBinding? _binding;

    /// <summary>Loads the model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="provider">Where it computes.</param>
    /// <param name="threads">Threads of the CPU it may use.</param>
    /// <exception cref="Exception">Whatever the library or the provider's own libraries throw; see <see cref="IsFailure"/>.</exception>
    public OnnxSession(OnnxModel model, OnnxProvider provider, int threads)
    {
        (_model, Provider, Threads) = (model, provider, threads);
        using SessionOptions options = new();
        options.IntraOpNumThreads = threads;
        options.InterOpNumThreads = 1;

        // Its threads spin while a picture is made, as in its own defaults, and not a moment longer: the cores are the sampler's.
        options.AddSessionConfigEntry("session.force_spinning_stop", "1");
        provider.Append(options);
        _session = new InferenceSession(model.Path, options);
    }

    public OnnxProvider Provider { get; }

    public int Threads { get; }

    /// <summary>Size of the latent that is bound.</summary>
    public (int Height, int Width) Size { get; private set; }

    /// <summary>The latent to be read, as the model wants it: F32 or F16.</summary>
    public NativeBuffer Input { get; private set; } = new(0);

    /// <summary>The picture after <see cref="Run"/>, as the model makes it: F32, F16 or U8.</summary>
    public NativeBuffer Output { get; private set; } = new(0);

    /// <summary>Whether an exception is the library's, or one of loading it or a provider's libraries.</summary>
    public static bool IsFailure(Exception failure) => failure is OnnxRuntimeException or EntryPointNotFoundException or DllNotFoundException or NotSupportedException;

    /// <summary>Makes room for a latent's and its picture's values and binds them.</summary>
    public void Bind(int height, int width)
    {
        if (Size == (height, width))
        {
            return;
        }

        Size = default;
        Unbind();
        (int across, int down) = (width * _model.PixelsPerCell, height * _model.PixelsPerCell);
        Input = new((long)_model.Channels * height * width);
        Output = new(3L * across * down);
        _binding = _session.CreateIoBinding();
        using OrtValue input = Value(_model.Input, Input, OnnxModel.Axes(_model.IsInputChannelsLast, _model.Channels, height, width));
        using OrtValue output = Value(_model.Output, Output, OnnxModel.Axes(_model.IsOutputChannelsLast, 3, down, across));
        _binding.BindInput(_model.Input.Name, input);
        _binding.BindOutput(_model.Output.Name, output);
        Size = (height, width);
    }

    /// <summary>Computes <see cref="Output"/> of <see cref="Input"/>. Allocates nothing managed.</summary>
    /// <exception cref="OperationCanceledException">Stopped: the library looks between two operations.</exception>
    /// <exception cref="OnnxRuntimeException">It failed.</exception>
    public void Run(CancellationToken cancellation)
    {
        _run.Terminate = false;
        using CancellationTokenRegistration registration = cancellation.UnsafeRegister(static run => ((RunOptions)run!).Terminate = true, _run);
        try
        {
            _session.RunWithBinding(_run, _binding!);
        }
        catch (OnnxRuntimeException) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
    }

    public void Dispose()
    {
        Unbind();
        _run.Dispose();
        _session.Dispose();
    }

    void Unbind()
    {
        _binding?.Dispose();
        _binding = null;
        Input.Dispose();
        Output.Dispose();
    }

    static OrtValue Value(OnnxValue value, NativeBuffer buffer, long[] axes)
    {
        (TensorElementType type, int size) = value.ElementType switch
        {
            OnnxFile.F16 => (TensorElementType.Float16, 2),
            OnnxFile.U8 => (TensorElementType.UInt8, 1),
            _ => (TensorElementType.Float, 4),
        };
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, type, axes, (nint)buffer.Pointer, buffer.Length * size);
    }
}
