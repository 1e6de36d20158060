using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using LatentBridge.Latents;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders.ApproxNn;

/// <summary>One picture at a time, its rows shared out in bands among threads. A band computes the rows around it that it needs once more.</summary>
sealed unsafe class ApproxNnPicture(ApproxNnLayer[] layers, KernelWidth kernel) : ISharedWork
{
    /// <summary>Rows of a band at least: some twenty more are computed to reach them.</summary>
    const int BandRows = 64;

    readonly List<ApproxNnBand> _bands = [];
    float* _values;
    byte* _pixels;
    float* _planes;
    int _height;
    int _width;
    int _bandCount;
    int _taken;
    int _done;
    ExceptionDispatchInfo? _failure;

    /// <summary>Takes the next picture; returns the number of bands, at most that of the threads.</summary>
    /// <param name="values">The latent.</param>
    /// <param name="height">Its cells from top to bottom.</param>
    /// <param name="width">Its cells from left to right.</param>
    /// <param name="pixels">Where the bytes go, or null.</param>
    /// <param name="planes">Where the floats go when there are no bytes.</param>
    /// <param name="threads">Threads that may work.</param>
    public int Prepare(float* values, int height, int width, byte* pixels, float* planes, int threads)
    {
        _values = values;
        _pixels = pixels;
        _planes = planes;
        (_height, _width) = (height, width);
        _bandCount = Math.Clamp(2 * height / BandRows, 1, threads);
        (_taken, _done, _failure) = (0, 0, null);
        while (_bands.Count < _bandCount)
        {
            _bands.Add(new(layers));
        }

        for (int i = 0; i < _bandCount; i++)
        {
            _bands[i].Prepare(width);
        }

        return _bandCount;
    }

    public void Work(Workspace workspace, CancellationToken cancellation)
    {
        try
        {
            for (int band = Interlocked.Increment(ref _taken) - 1; band < _bandCount; band = Interlocked.Increment(ref _taken) - 1)
            {
                RunBand(band, cancellation);
                Interlocked.Increment(ref _done);
            }
        }
        catch (Exception failure)
        {
            _failure = ExceptionDispatchInfo.Capture(failure);
        }
    }

    public void ThrowIfStopped(CancellationToken cancellation)
    {
        _failure?.Throw();
        if (_done < _bandCount)
        {
            throw new OperationCanceledException(cancellation);
        }
    }

    void RunBand(int band, CancellationToken cancellation)
    {
        int rows = 2 * _height;
        int top = (int)((long)rows * band / _bandCount);
        int bottom = (int)((long)rows * (band + 1) / _bandCount);
        int channels = layers[0].Inputs;
        var latent = new LatentPlanes(new ReadOnlySpan<float>(_values, channels * _height * _width), channels, _height, _width);
        if (_pixels != null)
        {
            _bands[band].Run(latent, top, bottom, new ByteRows(_pixels, kernel), kernel, cancellation);
        }
        else
        {
            _bands[band].Run(latent, top, bottom, new FloatRows(_planes, rows), kernel, cancellation);
        }
    }

    readonly struct ByteRows(byte* picture, KernelWidth width) : IRowWriter
    {
        public void Write(int row, ReadOnlySpan<float> planes, int stride, int count) =>
            PixelKernel.Decode(new ColourPlanes(), in planes[0], [0, stride, 2 * stride], count, new Span<byte>(picture + (3L * row * count), 3 * count), width);
    }

    readonly struct FloatRows(float* picture, int rows) : IRowWriter
    {
        public void Write(int row, ReadOnlySpan<float> planes, int stride, int count)
        {
            for (int colour = 0; colour < 3; colour++)
            {
                planes.Slice(colour * stride, count).CopyTo(new Span<float>(picture + (((long)colour * rows) + row) * count, count));
            }
        }
    }

    /// <summary>Cells whose three channels are the colour already.</summary>
    readonly struct ColourPlanes : IPixelOperator
    {
        public void Invoke<TLanes, TVector>(ref readonly float cells, ReadOnlySpan<int> inputs, out TVector red, out TVector green, out TVector blue)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
        {
            ref float c = ref Unsafe.AsRef(in cells);
            red = Byte<TLanes, TVector>(ref c);
            green = Byte<TLanes, TVector>(ref Unsafe.Add(ref c, inputs[1]));
            blue = Byte<TLanes, TVector>(ref Unsafe.Add(ref c, inputs[2]));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static TVector Byte<TLanes, TVector>(ref readonly float value)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct =>
            TLanes.MultiplyAdd(TLanes.Load(in value), TLanes.Broadcast(PixelKernel.Half), TLanes.Broadcast(PixelKernel.Rounded));
    }
}
