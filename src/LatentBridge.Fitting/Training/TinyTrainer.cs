using LatentBridge.Decoders.Tiny;
using LatentBridge.Files;
using LatentBridge.Simd;

namespace LatentBridge.Fitting.Training;

/// <summary>Trains a tiny decoder on pairs of latent and picture, a step at a time.</summary>
/// <remarks>
/// The same pairs, plan and first weights give the same numbers on one vector width, with any number of threads and however often it was stopped and taken up again: a step's crops follow
/// from the seed and its number. A step that is cancelled leaves no trace.
/// </remarks>
public sealed unsafe class TinyTrainer : IDisposable
{
    const float Decay1 = 0.9f;
    const float Decay2 = 0.99f;
    const float Epsilon = 1e-8f;

    readonly IReadOnlyList<PicturePair> _pairs;
    readonly TrainingPlan _plan;
    readonly int _side;
    readonly int _cropSide;
    readonly TrainedNetwork _network;
    readonly float[][] _means;
    readonly float[][] _squares;
    readonly float[] _targets;

    /// <summary>Begins.</summary>
    /// <param name="pairs">Of one latent space, with pictures of one side.</param>
    /// <param name="first">What it starts from.</param>
    /// <param name="plan">How long.</param>
    /// <param name="threads">At least 1.</param>
    /// <exception cref="ArgumentException">The pairs differ, or there are none.</exception>
    public TinyTrainer(IReadOnlyList<PicturePair> pairs, TrainedWeights first, TrainingPlan plan, int threads)
        : this(pairs, first, plan, threads, Kernel.Width)
    {
    }

    internal TinyTrainer(IReadOnlyList<PicturePair> pairs, TrainedWeights first, TrainingPlan plan, int threads, KernelWidth width)
    {
        if (pairs.Count == 0 || pairs.Any(pair => pair.Channels != first.Channels || pair.Side != first.Side))
        {
            throw new ArgumentException($"{pairs.Count} pairs for {first.Channels} channels and {first.Side} pixels a cell: all must have these.", nameof(pairs));
        }

        (_pairs, _plan, _side) = (pairs, plan, first.Side);
        _cropSide = Math.Min(plan.CropSide, pairs.Min(pair => Math.Min(pair.Height, pair.Width)));
        _network = new TrainedNetwork(TinyDecoder.Network(first.Channels, first.Side), plan.Crops, _cropSide, width, threads);
        foreach (TrainedConvolution layer in _network.Layers)
        {
            layer.Set(first.Tensors[layer.Layer.WeightName], first.Tensors[layer.Layer.BiasName!]);
        }

        _means = [.. _network.Layers.Select(layer => new float[layer.Parameters.Length])];
        _squares = [.. _network.Layers.Select(layer => new float[layer.Parameters.Length])];
        _targets = new float[3 * _side * _side * plan.Crops * _cropSide * _cropSide];
    }

    /// <summary>Steps done.</summary>
    public int StepsDone { get; private set; }

    /// <summary>Whether the plan is done.</summary>
    public bool IsDone => StepsDone >= _plan.Steps;

    /// <summary>Learns from one batch.</summary>
    /// <param name="cancellation">Looked at before each layer: a few milliseconds.</param>
    /// <returns>The batch's loss before it.</returns>
    /// <exception cref="OperationCanceledException">Nothing was learned in this step.</exception>
    public double Step(CancellationToken cancellation = default)
    {
        Random random = new(unchecked((_plan.Seed * 7919) + StepsDone));
        for (int crop = 0; crop < _plan.Crops; crop++)
        {
            PicturePair pair = _pairs[random.Next(_pairs.Count)];
            Load(crop, pair, random.Next(pair.Height - _cropSide + 1), random.Next(pair.Width - _cropSide + 1));
        }

        double loss = 0;
        _network.Forward(cancellation);
        _network.Backward(derivatives => loss = PictureLoss.Compute(_network.Output, _targets, _side * _side, derivatives), cancellation);
        int step = StepsDone + 1;
        float rate = (float)(_plan.RateOf(StepsDone) * Math.Sqrt(1 - Math.Pow(Decay2, step)) / (1 - Math.Pow(Decay1, step)));
        for (int i = 0; i < _network.Layers.Count; i++)
        {
            TrainedConvolution layer = _network.Layers[i];
            Elementwise.Adam(layer.Parameters, layer.Gradient, _means[i], _squares[i], rate, Decay1, Decay2, Epsilon);
        }

        StepsDone = step;
        return loss;
    }

    /// <summary>What was learned so far.</summary>
    public TrainedWeights Weights()
    {
        Dictionary<string, float[]> tensors = [];
        foreach (TrainedConvolution layer in _network.Layers)
        {
            tensors[layer.Layer.WeightName] = layer.Weights(layer.Parameters);
            tensors[layer.Layer.BiasName!] = layer.Biases(layer.Parameters);
        }

        return new(_network.Network.InputChannels, _side, tensors);
    }

    /// <summary>All that is needed to go on later.</summary>
    internal IEnumerable<StoredTensor> Save()
    {
        yield return StoredTensor.FromValues("steps", [StepsDone], [1]);
        for (int i = 0; i < _network.Layers.Count; i++)
        {
            foreach ((string name, float[] values) in State(i))
            {
                yield return StoredTensor.FromValues(name, values, [values.Length]);
            }
        }
    }

    /// <summary>Goes on where another left off.</summary>
    /// <returns>False, and nothing is changed, when the file is not of such a training.</returns>
    internal bool Restore(TensorFile file)
    {
        List<(float[] To, float[] From)> read = [];
        for (int i = 0; i < _network.Layers.Count; i++)
        {
            foreach ((string name, float[] values) in State(i))
            {
                if (Values(file, name, values.Length) is not { } found)
                {
                    return false;
                }

                read.Add((values, found));
            }
        }

        if (Values(file, "steps", 1) is not [>= 0 and < 1e7f and var steps])
        {
            return false;
        }

        read.ForEach(pair => pair.From.CopyTo(pair.To, 0));
        StepsDone = (int)steps;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();

    (string Name, float[] Values)[] State(int layer) =>
        [($"{layer}.parameters", _network.Layers[layer].Parameters), ($"{layer}.means", _means[layer]), ($"{layer}.squares", _squares[layer])];

    static float[]? Values(TensorFile file, string name, int length)
    {
        if (file.Find(name) is not { ElementType: TensorElementType.F32 } entry || entry.Length != length)
        {
            return null;
        }

        float[] values = new float[length];
        entry.CopyTo(values);
        return Array.TrueForAll(values, float.IsFinite) ? values : null;
    }

    void Load(int crop, PicturePair pair, int top, int left)
    {
        int square = _side * _side, plane = pair.Height * pair.Width;
        for (int y = 0; y < _cropSide; y++)
        {
            float* row = _network.Input.Row(crop, y);
            int at = ((crop * _cropSide) + y) * _cropSide * 3 * square;
            for (int x = 0; x < _cropSide; x++, row += _network.Input.Channels, at += 3 * square)
            {
                int cell = ((top + y) * pair.Width) + left + x;
                for (int channel = 0; channel < pair.Channels; channel++)
                {
                    row[channel] = FirstWeights.Clamp(pair.Planes[(channel * plane) + cell]);
                }

                for (int pixel = 0; pixel < square; pixel++)
                {
                    int source = 3 * (((((top + y) * _side) + (pixel / _side)) * pair.Width * _side) + ((left + x) * _side) + (pixel % _side));
                    for (int colour = 0; colour < 3; colour++)
                    {
                        _targets[at + (colour * square) + pixel] = (pair.Pixels[source + colour] / 255f) - 0.5f;
                    }
                }
            }
        }
    }
}
